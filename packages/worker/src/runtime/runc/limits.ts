/** What a container may have of the host, written into its control group. */
import { writeFile } from "node:fs/promises";

import { hasCode } from "@lydian/kit";

import type { Cgroups } from "../../cgroups/cgroups.ts";
import type { Held } from "./held.ts";

/** Processes and threads of a container that asks for no number: more than programs need, far less than the host has. */
const defaultPids = 4096;

/** What a container weighs that asks for nothing, and what one that is nobody's yet, in thousandths of a core. */
const defaultShare = 1000;
const spareShare = 10;

type Limited = Pick<Held, "resources" | "isSpare">;

/** When the host runs out of memory the kernel takes spare containers first, then functions, then the platform and people's own. */
export const oomScore = ({ isSpare }: Pick<Held, "isSpare">): number => (isSpare ? 1000 : 500);

/** Sets all limits but that of processors, whatever they were before; makes the control group when it is missing. */
export async function setLimits(cgroups: Cgroups, cgroup: string, { resources, isSpare }: Limited): Promise<void> {
  const { milliCpu = defaultShare, memoryMib, pids = defaultPids } = resources;
  await cgroups.create(cgroup);
  await cgroups.limit(cgroup, {
    pids,
    ...(memoryMib === undefined ? {} : { memoryMib }),
    shareMilliCpu: isSpare ? spareShare : milliCpu,
  });
}

/** The limit of processors, which would have slowed the start. */
export async function limitProcessors(cgroups: Cgroups, cgroup: string, milliCpu: number): Promise<void> {
  try {
    await cgroups.limit(cgroup, { milliCpu });
  } catch (error) {
    if (!hasCode(error, "ENOENT", "ENODEV")) throw error; // it has ended meanwhile
  }
}

/** One that was spare is no longer taken before all others. */
export async function settleOom(cgroups: Cgroups, cgroup: string, held: Limited): Promise<void> {
  for (const pid of await cgroups.pids(cgroup)) {
    await writeFile(`/proc/${pid}/oom_score_adj`, String(oomScore(held))).catch((error: unknown) => {
      if (!hasCode(error, "ENOENT", "ESRCH")) throw error; // it has ended
    });
  }
}
