/**
 * conmon and runc that are at work on a container whose worker died: they go on by themselves and would make what is being
 * removed. Each of them was started by its absolute path and names the container's folder in its arguments.
 */
import { readdir, readFile } from "node:fs/promises";

import { type Clock, hasCode, PlatformError, sleep } from "@lydian/kit";

/** How long a process may take to be gone after SIGKILL. */
const patienceMs = 10_000;

/** Ends all processes of these programs that name a path below `folder`; resolves when none is left. */
export async function endProcessesAt(folder: string, programs: readonly string[], clock: Clock): Promise<void> {
  const deadline = clock.now() + patienceMs;
  for (let pauseMs = 1; ; pauseMs = Math.min(16, pauseMs * 2)) {
    const pids = await processesAt(folder, programs);
    if (pids.length === 0) return;
    if (clock.now() >= deadline) throw new PlatformError(`processes ${pids.join(", ")} at ${folder} do not end`);
    for (const pid of pids) kill(pid);
    await sleep(clock, pauseMs); // they are nobody's children that could be waited for
  }
}

/** Those that run now. */
export async function processesAt(folder: string, programs: readonly string[]): Promise<number[]> {
  const found = await Promise.all(
    (await readdir("/proc")).map(async (name) => {
      const pid = Number(name);
      if (!Number.isInteger(pid) || pid === process.pid) return undefined;
      const [program = "", ...args] = await argumentsOf(pid);
      return programs.includes(program) && args.some((argument) => argument.startsWith(`${folder}/`)) ? pid : undefined;
    }),
  );
  return found.filter((pid) => pid !== undefined);
}

/** Empty for one that has ended, waited for or not. */
async function argumentsOf(pid: number): Promise<string[]> {
  try {
    return (await readFile(`/proc/${pid}/cmdline`, "latin1")).split("\0");
  } catch (error) {
    if (hasCode(error, "ENOENT", "ESRCH")) return [];
    throw error;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (!hasCode(error, "ESRCH")) throw error;
  }
}
