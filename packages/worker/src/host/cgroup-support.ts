/** Whether limits of containers can be enforced: a control group with limits, made and removed again. */
import { messageOf } from "@lydian/kit";

import { Cgroups } from "../cgroups/cgroups.ts";
import { type Finding, missing, ok, type Probed, warning } from "./finding.ts";

export interface CgroupSupport {
  /** A hybrid host counts as 1. */
  readonly version: 1 | 2;
  readonly controllers: readonly string[];
}

const needed = { 1: ["cpu", "cpuacct", "devices", "freezer", "memory", "pids"], 2: ["cpu", "memory", "pids"] } as const;

export async function probeCgroups(isRoot: boolean): Promise<Probed<CgroupSupport | undefined>> {
  const named = (value: CgroupSupport | undefined, finding: Finding): Probed<CgroupSupport | undefined> => ({
    value,
    finding: { name: "Control groups", ...finding },
  });
  const remedy = "boot with systemd's defaults (control groups version 2)";
  try {
    const cgroups = await Cgroups.detect();
    const support: CgroupSupport = { version: cgroups.version, controllers: [...cgroups.controllers].sort() };
    const lacks = needed[cgroups.version].filter((name) => !cgroups.controllers.has(name));
    const detail = `version ${cgroups.version}`;
    if (lacks.length > 0) {
      const boot = `boot with cgroup_enable=${lacks[0]}, or ${remedy}`;
      return named(undefined, missing(`${detail} without ${lacks.join(", ")}`, boot));
    }
    if (!isRoot) return named(support, warning(`${detail}, but limits cannot be tried without root`, "use sudo"));
    await tryLimits(cgroups);
    return named(support, ok(`${detail}: ${needed[cgroups.version].join(", ")}`));
  } catch (error) {
    return named(undefined, missing(`cannot be used: ${messageOf(error)}`, remedy));
  }
}

async function tryLimits(cgroups: Cgroups): Promise<void> {
  const path = `/lydian/probe-${process.pid}`;
  try {
    await cgroups.create(path);
    await cgroups.limit(path, { milliCpu: 1000, shareMilliCpu: 1000, memoryMib: 64, pids: 10 });
  } finally {
    await cgroups.remove(path);
    await cgroups.removeIfEmpty("/lydian");
  }
}
