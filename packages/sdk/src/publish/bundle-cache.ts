/** What was bundled, for the next process: good as long as each file that went into it is as it was. */
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

import { hasCode } from "@lydian/kit/errors";

export interface BundledFile {
  readonly path: string;
  readonly text: string;
}

interface Kept {
  /** By file. */
  readonly inputs: Readonly<Record<string, string>>;
  readonly files: readonly BundledFile[];
}

export function usualCache(env: NodeJS.ProcessEnv = process.env): string {
  return join(env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "lydian", "bundles");
}

/** Undefined where there is none, or one of files that have changed since. */
export function readBundle(folder: string, name: string): readonly BundledFile[] | undefined {
  try {
    const { inputs, files } = JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8")) as Kept;
    const isCurrent = Object.entries(inputs).every(([file, mark]) => markOf(file) === mark);
    return isCurrent ? files : undefined;
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR", "EACCES") || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Where it cannot be kept, the next process bundles again. */
export function keepBundle(
  folder: string,
  name: string,
  inputs: readonly string[],
  files: readonly BundledFile[],
): void {
  const kept: Kept = { inputs: Object.fromEntries(inputs.map((file) => [file, markOf(file)])), files };
  const target = join(folder, `${name}.json`);
  const unfinished = `${target}.${process.pid}`;
  try {
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(unfinished, JSON.stringify(kept));
    renameSync(unfinished, target); // so that nobody reads half of it
  } catch (error) {
    if (!hasCode(error, "EACCES", "EROFS", "ENOENT", "ENOTDIR", "ENOSPC", "EPERM")) throw error;
  }
}

/** By when it came to lie there: npm gives all files of all versions one and the same time of change. */
function markOf(file: string): string {
  const { ctimeMs, size } = statSync(file);
  return `${ctimeMs} ${size}`;
}
