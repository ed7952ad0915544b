/** The processes' own log: one JSON object a line on stderr, or text for people when stderr is a terminal. */
import { createRequire } from "node:module";
import { isatty } from "node:tty";

import { type DestinationStream, pino } from "pino";

export type Logger = Pick<pino.Logger, "debug" | "info" | "warn" | "error" | "fatal" | "child">;

export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";

/** For a terminal: the message first, without the fields that every line of this process has. */
function readable(): DestinationStream {
  // Loaded only where it is used: it would add 15 ms to every start.
  const { PinoPretty: pretty } = createRequire(import.meta.url)("pino-pretty") as typeof import("pino-pretty");
  return pretty({
    sync: true,
    destination: 2,
    ignore: "pid,hostname,name",
    translateTime: "SYS:HH:MM:ss.l",
    singleLine: true,
  });
}

/** `name` tells the processes of one platform apart. Secrets are never passed to a logger. */
export function createLogger(name: string, level: LogLevel): Logger {
  const destination = isatty(2) ? readable() : pino.destination({ fd: 2, sync: true });
  return pino({ level, base: { name }, timestamp: pino.stdTimeFunctions.isoTime }, destination);
}

/** For tests and for code that runs before its caller has a logger. */
export const silentLogger: Logger = pino({ level: "silent" });
