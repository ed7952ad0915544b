/**
 * Who is where in the tree of a hierarchy. These looks are synchronous: the kernel answers them from memory, in less time
 * than a thread of the pool takes to be asked.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { hasCode } from "@lydian/kit";

/** The folder itself and all below it, deepest first; none when it is gone. */
export function groupsBelow(folder: string): string[] {
  const names = namesIn(folder);
  return names === undefined ? [] : [...names.flatMap((name) => groupsBelow(join(folder, name))), folder];
}

/** The control groups directly below; undefined when it is gone. */
export function namesIn(folder: string): string[] | undefined {
  try {
    const entries = readdirSync(folder, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

/** The processes of one control group, without those below; none when it is gone. */
export function pidsIn(folder: string): number[] {
  try {
    const pids = readFileSync(join(folder, "cgroup.procs"), "utf8").split("\n").map(Number);
    // 0 stands for one that this pid namespace does not see (as a target of a signal it would mean our own group).
    return pids.filter((pid) => pid > 0);
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

/** ENODEV: it went while the file was open. */
const isGone = (error: unknown): boolean => hasCode(error, "ENOENT", "ENODEV");
