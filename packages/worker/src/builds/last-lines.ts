/** What a failed step said last, for the message of its failure. */
import { open } from "node:fs/promises";

import { parseRecords } from "../container/log-format.ts";

const readBytes = 32 * 1024;
const shownLines = 20;

/** Begins with a newline unless it is empty. */
export async function lastLines(logFile: string): Promise<string> {
  await using file = await open(logFile, "r");
  const { size } = await file.stat();
  const from = Math.max(0, size - readBytes);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(readBytes), 0, readBytes, from);
  const whole = from === 0 ? 0 : buffer.indexOf("\n") + 1; // it may begin inside a record
  const lines = parseRecords(buffer.subarray(whole, bytesRead)).lines.filter(({ stream }) => stream !== "system");
  const text = Buffer.concat(lines.map(({ data }) => data))
    .toString()
    .trimEnd();
  return text === "" ? "" : `\n${text.split("\n").slice(-shownLines).join("\n")}`;
}
