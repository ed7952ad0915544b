/** The files by which a control group is read and steered: each write is one request, each read one answer. */
import { constants, readFileSync, writeFileSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { hasCode } from "@lydian/kit";

/** Never creates: a control group has the files that the kernel gives it, and a misspelt one shall fail. */
const writeFlags = constants.O_WRONLY | constants.O_TRUNC;

export async function write(folder: string, file: string, value: string | number): Promise<void> {
  // The types know flags by name only.
  await writeFile(join(folder, file), String(value), { flag: writeFlags as unknown as string });
}

/** Whether it was written; false when the kernel has no such file here. */
export async function writeIfThere(folder: string, file: string, value: string | number): Promise<boolean> {
  try {
    await write(folder, file, value);
    return true;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return false;
    throw error;
  }
}

export async function read(folder: string, file: string): Promise<string> {
  return (await readFile(join(folder, file), "utf8")).trim();
}

/**
 * Of files in which the kernel finds or sets something at once. Who stands still meanwhile is spared the ways to a thread and
 * back, which take longer than the call itself.
 */
export function writeNow(folder: string, file: string, value: string | number): void {
  writeFileSync(join(folder, file), String(value), { flag: writeFlags as unknown as string });
}

export function readNow(folder: string, file: string): string {
  return readFileSync(join(folder, file), "utf8").trim();
}

/** Undefined when the control group is gone or has no such file. */
export async function readIfThere(folder: string, file: string): Promise<string | undefined> {
  try {
    return await read(folder, file);
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENODEV")) return undefined; // ENODEV: it went while the file was open
    throw error;
  }
}

/** A number on a line of its own; `max` is infinite. */
export function numberIn(text: string): number {
  return text === "max" ? Number.POSITIVE_INFINITY : Number(text);
}

/** The number behind a name in lines such as `oom_kill 3`. */
export function numberOf(text: string, name: string): number | undefined {
  const found = new RegExp(`^${name} (\\d+)$`, "m").exec(text)?.[1];
  return found === undefined ? undefined : Number(found);
}
