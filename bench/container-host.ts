/** What containers take from their host, as /proc and their own folders below /run show it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";

import { clientProgram, newestClient, type Platform } from "@lydian/testkit";
import { Cgroups } from "@lydian/worker";

import { cpuMs } from "./measure.ts";

const run = "/run/lydian";

/** The folder of a running container, which has its bundle and its root. */
export function containerFolder(id: string): string {
  const folder = readdirSync(run)
    .map((instance) => join(run, instance, "c", id))
    .find((path) => existsSync(path));
  if (folder === undefined) throw new Error(`there is no container ${id}`);
  return folder;
}

interface Bundle {
  readonly linux: { readonly cgroupsPath: string };
}

/** Its config.json. */
export function bundleOf(id: string): Bundle {
  return JSON.parse(readFileSync(join(containerFolder(id), "bundle", "config.json"), "utf8")) as Bundle;
}

export function conmonOf(id: string): number {
  return Number(readFileSync(join(containerFolder(id), "bundle", "conmon-pid"), "utf8"));
}

/** Proportional set size in KiB: what is shared counts by its share. */
export function pssKib(pid: number): number {
  return Number(/^Pss: +(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "latin1"))?.[1]);
}

/** Processor time of server, worker and all that they have waited for. */
export function platformCpuMs(platform: Platform): number {
  return (["server", "worker"] as const).reduce((sum, role) => sum + cpuMs(pidOf(platform, role), "children"), 0);
}

export function pidOf(platform: Platform, role: "server" | "worker"): number {
  const pid = platform.process(role)?.pid;
  if (pid === undefined) throw new Error(`there is no ${role}`);
  return pid;
}

/** Processor time of these containers so far, and of those who made them: conmon, and runc, for which it waits. */
export async function containersCpuMs(ids: readonly string[]): Promise<number> {
  const cgroups = await Cgroups.detect();
  const each = ids.map(async (id) => {
    const { cpuMicroseconds } = await cgroups.usage(bundleOf(id).linux.cgroupsPath);
    return cpuMicroseconds / 1000 + cpuMs(conmonOf(id), "children");
  });
  return (await Promise.all(each)).reduce((sum, ms) => sum + ms, 0);
}

/** Kills a process, and answers when it was gone: in milliseconds since the epoch. */
export async function kill(pid: number): Promise<number> {
  const script = `import os, select, signal, time
fd = os.pidfd_open(${pid})
signal.pidfd_send_signal(fd, signal.SIGKILL)
select.select([fd], [], [])
print(time.time() * 1000)`;
  const child = spawn(clientProgram(newestClient, "python"), ["-I", "-S", "-c", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [said] = await Promise.all([text(child.stdout), once(child, "close")]);
  return Number(said);
}
