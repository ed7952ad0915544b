/**
 * Finds processes by their environment. It is the last resort of a runtime without isolation, for what a killed keeper
 * leaves behind, and best effort: a process can change its environment, and one of another user cannot be read.
 */
import { readdir, readFile } from "node:fs/promises";

import { hasCode } from "@lydian/kit";

/** How often it looks again for what was born between the look and the kill. */
const passes = 5;

/** Sends SIGKILL to every process of this user whose environment satisfies `belongs`. */
export async function killByEnvironment(belongs: (env: ReadonlyMap<string, string>) => boolean): Promise<void> {
  for (let pass = 0; pass < passes; pass++) {
    const found: number[] = [];
    for (const entry of await readdir("/proc")) {
      const pid = Number(entry);
      if (!Number.isInteger(pid) || pid === process.pid) continue;
      const env = await environmentOf(pid);
      if (env !== undefined && belongs(env)) found.push(pid);
    }
    if (found.length === 0) return;
    for (const pid of found) kill(pid);
  }
}

async function environmentOf(pid: number): Promise<Map<string, string> | undefined> {
  try {
    const text = await readFile(`/proc/${pid}/environ`, "utf8");
    return new Map(text.split("\0").map((variable) => split(variable)));
  } catch (error) {
    if (hasCode(error, "ENOENT", "ESRCH", "EACCES", "EPERM")) return undefined; // ended, or not this user's
    throw error;
  }
}

function split(variable: string): [string, string] {
  const at = variable.indexOf("=");
  return at === -1 ? [variable, ""] : [variable.slice(0, at), variable.slice(at + 1)];
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (!hasCode(error, "ESRCH", "EPERM")) throw error; // it ended meanwhile, or became another user's
  }
}
