/**
 * The contract between the supervisor and its children: configuration comes as one JSON line on stdin, whose end means
 * that the supervisor is gone; what the child has to say goes out as JSON lines on stdout.
 */
import { createInterface } from "node:readline";

import { PlatformError } from "./errors.ts";

/** What a child tells its supervisor. `ready` comes once, when the child can do its work. */
export type ChildEvent = { event: "ready" } | { event: "failed"; message: string; hint?: string };

/** Reads the configuration and calls `onOrphaned` when the supervisor is gone; refuses to run without one. */
export async function readConfiguration(onOrphaned: () => void): Promise<unknown> {
  const lines = createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY });
  const line = await new Promise<string>((resolve, reject) => {
    lines.once("line", resolve);
    lines.once("close", () =>
      reject(new PlatformError("no configuration on stdin", { hint: "start it with `lydian up`" })),
    );
  });
  lines.once("close", onOrphaned);
  return JSON.parse(line);
}

/** Tells the supervisor; stdout carries nothing else. */
export function tellSupervisor(event: ChildEvent): void {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}
