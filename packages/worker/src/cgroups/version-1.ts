/** Control groups of version 1: a tree of folders for each controller, and one more that systemd or runc may have. */
import { join } from "node:path";

import { hasCode, PlatformError } from "@lydian/kit";

import { numberOf, read, readIfThere, readNow, write, writeIfThere, writeNow } from "./control-file.ts";
import {
  type CgroupDialect,
  type CgroupLimits,
  type CgroupUsage,
  mebibyte,
  periodMicroseconds,
  quotaMicroseconds,
} from "./dialect.ts";
import type { CgroupMounts } from "./mounts.ts";
import { groupsBelow, pidsIn } from "./tree.ts";

/** What one core's share is by default. */
const sharesPerCore = 1024;
const smallestShares = 2;

/** Between looks at the counter of kills: its one notice is an eventfd, for which the runtime has no poll. */
const lookMs = 500;

export class CgroupsVersion1 implements CgroupDialect {
  readonly version = 1;
  readonly controllers: ReadonlySet<string>;
  readonly #roots: readonly string[];
  readonly #rootOf = new Map<string, string>();

  constructor({ hierarchies, unified }: CgroupMounts) {
    for (const { folder, carries } of hierarchies) for (const name of carries) this.#rootOf.set(name, folder);
    this.controllers = new Set([...this.#rootOf.keys()].filter((name) => !name.startsWith("name=")));
    const folders = hierarchies.map(({ folder }) => folder);
    // On a hybrid host runc makes its folder in the tree of version 2, too.
    this.#roots = unified === undefined ? folders : [...folders, unified];
  }

  folders(path: string): readonly string[] {
    return this.#roots.map((root) => join(root, path));
  }

  async openToChildren(): Promise<void> {
    // Every child has every controller.
  }

  async limit(path: string, limits: CgroupLimits): Promise<void> {
    const { milliCpu, shareMilliCpu, memoryMib, pids } = limits;
    if (shareMilliCpu !== undefined) {
      const shares = Math.round((shareMilliCpu * sharesPerCore) / 1000);
      await write(this.#folder("cpu", path), "cpu.shares", Math.max(smallestShares, shares));
    }
    if (milliCpu !== undefined) {
      const cpu = this.#folder("cpu", path);
      await write(cpu, "cpu.cfs_period_us", periodMicroseconds);
      await write(cpu, "cpu.cfs_quota_us", milliCpu === "none" ? -1 : quotaMicroseconds(milliCpu));
    }
    if (memoryMib !== undefined) await this.#limitMemory(path, memoryMib);
    if (pids !== undefined) await write(this.#folder("pids", path), "pids.max", pids === "none" ? "max" : pids);
  }

  /** Memory alone may never be above memory and swap together, so the order depends on the direction. */
  async #limitMemory(path: string, memoryMib: number | "none"): Promise<void> {
    const folder = this.#folder("memory", path);
    const bytes = memoryMib === "none" ? Number.POSITIVE_INFINITY : memoryMib * mebibyte;
    const value = memoryMib === "none" ? -1 : bytes;
    const memory = (): Promise<void> => write(folder, "memory.limit_in_bytes", value);
    // Absent where the kernel does not account for swap; then there is nothing to keep in order.
    const withSwap = async (): Promise<void> => void (await writeIfThere(folder, "memory.memsw.limit_in_bytes", value));
    const isRaise = bytes > Number(await read(folder, "memory.limit_in_bytes"));
    try {
      for (const step of isRaise ? [withSwap, memory] : [memory, withSwap]) await step();
    } catch (error) {
      if (!hasCode(error, "EBUSY")) throw error;
      throw new PlatformError(`${path} uses more than the ${memoryMib} MiB that are to be its limit`, { cause: error });
    }
  }

  async oomKills(path: string): Promise<number> {
    const text = await readIfThere(this.#folder("memory", path), "memory.oom_control");
    return numberOf(text ?? "", "oom_kill") ?? 0;
  }

  async usage(path: string): Promise<CgroupUsage> {
    const memory = this.#folder("memory", path);
    const [nanoseconds, bytes, peak, pids] = await Promise.all([
      read(this.#folder("cpuacct", path), "cpuacct.usage"),
      read(memory, "memory.usage_in_bytes"),
      read(memory, "memory.max_usage_in_bytes"),
      read(this.#folder("pids", path), "pids.current"),
    ]);
    return {
      cpuMicroseconds: Math.round(Number(nanoseconds) / 1000),
      memoryBytes: Number(bytes),
      peakBytes: Number(peak),
      pids: Number(pids),
    };
  }

  async killRound(path: string): Promise<void> {
    // Nothing is born from here on, so that a fork bomb has an end after two rounds.
    const folder = this.#rootOf.get("pids");
    if (folder !== undefined) await writeIfThere(join(folder, path), "pids.max", 0);
    // Without a pause between look and signal: a number that is free again could be another process's.
    for (const group of this.folders(path).flatMap(groupsBelow)) for (const pid of pidsIn(group)) kill(pid);
    // A frozen process takes the signal when it thaws.
    const freezer = this.#rootOf.get("freezer");
    if (freezer !== undefined) await writeIfThere(join(freezer, path), "freezer.state", "THAWED");
  }

  watchMemory(_path: string, look: () => void): Disposable {
    const timer = setInterval(look, lookMs).unref();
    return { [Symbol.dispose]: () => clearInterval(timer) };
  }

  async liftQuota(path: string): Promise<string | undefined> {
    const folder = this.#folder("cpu", path);
    const quota = readNow(folder, "cpu.cfs_quota_us");
    if (quota === "-1") return undefined;
    writeNow(folder, "cpu.cfs_quota_us", -1);
    return quota;
  }

  async restoreQuota(path: string, quota: string): Promise<void> {
    writeNow(this.#folder("cpu", path), "cpu.cfs_quota_us", quota);
  }

  async setFrozen(path: string, frozen: boolean): Promise<void> {
    writeNow(this.#folder("freezer", path), "freezer.state", frozen ? "FROZEN" : "THAWED");
  }

  async isFrozen(path: string): Promise<boolean> {
    const folder = this.#folder("freezer", path);
    if (readNow(folder, "freezer.state") === "FROZEN") return true;
    // Whoever was born while the others froze is reached by saying it again.
    writeNow(folder, "freezer.state", "FROZEN");
    return false;
  }

  #folder(controller: string, path: string): string {
    const root = this.#rootOf.get(controller);
    if (root !== undefined) return join(root, path);
    throw new PlatformError(`this host has no control groups for ${controller}`, {
      hint: "`lydian doctor` says what containers need",
    });
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (!hasCode(error, "ESRCH")) throw error; // it has just ended
  }
}
