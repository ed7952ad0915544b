/** Control groups of version 2: one tree, whose folders have the controllers that their parents hand down. */
import { watch } from "node:fs";
import { join } from "node:path";

import { numberIn, numberOf, read, readIfThere, readNow, write, writeIfThere, writeNow } from "./control-file.ts";
import {
  type CgroupDialect,
  type CgroupLimits,
  type CgroupUsage,
  mebibyte,
  periodMicroseconds,
  quotaMicroseconds,
} from "./dialect.ts";

/** What limits need. */
const handedDown = ["cpu", "memory", "pids"];

/** What one core's share is by default, so that a container of one core weighs as much as a group without limits. */
const weightPerCore = 100;
const heaviest = 10_000;

export class CgroupsVersion2 implements CgroupDialect {
  readonly version = 2;
  readonly controllers: ReadonlySet<string>;
  readonly #root: string;

  constructor(root: string, controllers: ReadonlySet<string>) {
    this.#root = root;
    this.controllers = controllers;
  }

  static async at(root: string): Promise<CgroupsVersion2> {
    return new CgroupsVersion2(root, new Set((await read(root, "cgroup.controllers")).split(" ")));
  }

  folders(path: string): readonly string[] {
    return [join(this.#root, path)];
  }

  async openToChildren(path: string): Promise<void> {
    const folder = join(this.#root, path);
    const open = (await read(folder, "cgroup.subtree_control")).split(" ");
    const wanted = handedDown.filter((name) => this.controllers.has(name) && !open.includes(name));
    if (wanted.length > 0) await write(folder, "cgroup.subtree_control", wanted.map((name) => `+${name}`).join(" "));
  }

  async limit(path: string, limits: CgroupLimits): Promise<void> {
    const folder = join(this.#root, path);
    const { milliCpu, shareMilliCpu, memoryMib, pids } = limits;
    if (shareMilliCpu !== undefined) {
      const weight = Math.round((shareMilliCpu * weightPerCore) / 1000);
      await write(folder, "cpu.weight", Math.min(heaviest, Math.max(1, weight)));
    }
    if (milliCpu !== undefined) {
      const quota = milliCpu === "none" ? "max" : quotaMicroseconds(milliCpu);
      await write(folder, "cpu.max", `${quota} ${periodMicroseconds}`);
    }
    if (memoryMib !== undefined) {
      // Swap first, so that nothing goes there when memory becomes less. Below what is used the kernel does not refuse as in
      // version 1: it takes back what it can and kills for the rest. There is no swap file where swap is not accounted for.
      await writeIfThere(folder, "memory.swap.max", memoryMib === "none" ? "max" : 0);
      await write(folder, "memory.max", memoryMib === "none" ? "max" : memoryMib * mebibyte);
    }
    if (pids !== undefined) await write(folder, "pids.max", pids === "none" ? "max" : pids);
  }

  async oomKills(path: string): Promise<number> {
    const text = await readIfThere(join(this.#root, path), "memory.events");
    return numberOf(text ?? "", "oom_kill") ?? 0;
  }

  async usage(path: string): Promise<CgroupUsage> {
    const folder = join(this.#root, path);
    const [cpu, memory, peak, pids] = await Promise.all([
      read(folder, "cpu.stat"),
      read(folder, "memory.current"),
      readIfThere(folder, "memory.peak"),
      read(folder, "pids.current"),
    ]);
    return {
      cpuMicroseconds: numberOf(cpu, "usage_usec") ?? 0,
      memoryBytes: numberIn(memory),
      peakBytes: peak === undefined ? undefined : numberIn(peak),
      pids: numberIn(pids),
    };
  }

  /** The kernel itself goes through the tree, and nobody escapes by forking. */
  async killRound(path: string): Promise<void> {
    await writeIfThere(join(this.#root, path), "cgroup.kill", 1);
  }

  watchMemory(path: string, look: () => void): Disposable {
    const watcher = watch(join(this.#root, path, "memory.events"), { persistent: false }, look);
    watcher.on("error", look); // the look finds that it is gone
    return { [Symbol.dispose]: () => watcher.close() };
  }

  async liftQuota(path: string): Promise<string | undefined> {
    const folder = join(this.#root, path);
    const quota = readNow(folder, "cpu.max");
    if (quota.startsWith("max ")) return undefined;
    writeNow(folder, "cpu.max", `max ${periodMicroseconds}`);
    return quota;
  }

  async restoreQuota(path: string, quota: string): Promise<void> {
    writeNow(join(this.#root, path), "cpu.max", quota);
  }

  async setFrozen(path: string, frozen: boolean): Promise<void> {
    writeNow(join(this.#root, path), "cgroup.freeze", frozen ? 1 : 0);
  }

  async isFrozen(path: string): Promise<boolean> {
    return numberOf(readNow(join(this.#root, path), "cgroup.events"), "frozen") === 1;
  }
}
