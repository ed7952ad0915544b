/** Reads of what may not be there: its absence is an answer, and every other failure is thrown. */
import { readdir, readFile } from "node:fs/promises";

import { hasCode } from "./errors.ts";

/** The names in a folder; none where there is no such folder. */
export async function namesIn(folder: string): Promise<string[]> {
  return (await unlessAbsent(readdir(folder))) ?? [];
}

/** A file's text; undefined where there is no such file. */
export async function textOf(file: string): Promise<string | undefined> {
  return await unlessAbsent(readFile(file, "utf8"));
}

async function unlessAbsent<T>(read: Promise<T>): Promise<T | undefined> {
  try {
    return await read;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}
