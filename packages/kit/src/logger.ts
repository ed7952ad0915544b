/** The processes' own log: one JSON object a line on stderr, or text for people when stderr is a terminal. */
import { pino } from "pino";

export type Logger = Pick<pino.Logger, "debug" | "info" | "warn" | "error" | "fatal" | "child">;

export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";

/** `name` tells the processes of one platform apart. Secrets are never passed to a logger. */
export function createLogger(name: string, level: LogLevel): Logger {
  return pino({ name, level, base: { name }, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination({ fd: 2, sync: true }));
}

/** For tests and for code that runs before its caller has a logger. */
export const silentLogger: Logger = pino({ level: "silent" });
