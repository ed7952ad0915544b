/**
 * Control groups: the limits of a container, its share of the host, and the one list of its processes that no process can
 * leave. A path such as "/lydian/INSTANCE/ID" means the control group of that name in every hierarchy of the host.
 *
 * Containers lie directly below the root and never below the worker's own group: systemd could not start the worker again
 * beside living containers.
 */
import { mkdir, readFile, rmdir } from "node:fs/promises";

import { type Clock, hasCode, messageOf, PlatformError, sleep, systemClock } from "@lydian/kit";

import type { CgroupDialect, CgroupLimits, CgroupUsage } from "./dialect.ts";
import { parseMountinfo } from "./mounts.ts";
import { groupsBelow, namesIn, pidsIn } from "./tree.ts";
import { CgroupsVersion1 } from "./version-1.ts";
import { CgroupsVersion2 } from "./version-2.ts";

export type { CgroupLimits, CgroupUsage } from "./dialect.ts";

/** How long the kernel may take: to end processes, to stop them all, to give a folder back whose last one has ended. */
const patienceMs = { kill: 10_000, freeze: 5000, remove: 2000 } as const;

/** Between two looks where the kernel tells nobody, or not sooner than in 10 ms: 1 ms, doubled up to 16. */
const longestPauseMs = 16;

/** How often a folder is made anew when another platform takes away its parent, which was empty. */
const creations = 20;

/** A control group that stands still. */
export interface Frozen {
  /** Lets it go on; twice does no harm. */
  thaw(): Promise<void>;
}

export class Cgroups {
  readonly #dialect: CgroupDialect;
  readonly #clock: Clock;

  /** `detect` makes it for this host; tests have a folder tree of their own. */
  constructor(dialect: CgroupDialect, clock: Clock = systemClock) {
    this.#dialect = dialect;
    this.#clock = clock;
  }

  /** For what this host has mounted. */
  static async detect(): Promise<Cgroups> {
    const mounts = parseMountinfo(await readFile("/proc/self/mountinfo", "utf8"));
    const controllers = mounts.hierarchies.flatMap(({ carries }) => carries).filter((name) => !name.includes("="));
    if (controllers.length > 0) return new Cgroups(new CgroupsVersion1(mounts));
    if (mounts.unified !== undefined) return new Cgroups(await CgroupsVersion2.at(mounts.unified));
    throw new PlatformError("this host has no control groups mounted", {
      hint: "boot it with systemd, or mount them: mount -t cgroup2 none /sys/fs/cgroup",
    });
  }

  /** A hybrid host counts as version 1: that is where its controllers are. */
  get version(): 1 | 2 {
    return this.#dialect.version;
  }

  get controllers(): ReadonlySet<string> {
    return this.#dialect.controllers;
  }

  /** The folders of a control group, one for each hierarchy; they need not exist. */
  folders(path: string): readonly string[] {
    return this.#dialect.folders(checked(path));
  }

  /** Makes it and its parents; nothing happens when it is there. runc makes those of containers by itself. */
  async create(path: string): Promise<void> {
    const names = checked(path).split("/").slice(1);
    const way = names.map((_name, at) => `/${names.slice(0, at + 1).join("/")}`);
    for (let tries = 1; ; tries++) {
      try {
        for (const [at, step] of way.entries()) {
          await this.#dialect.openToChildren(way[at - 1] ?? "/");
          for (const folder of this.#dialect.folders(step)) await makeFolder(folder);
        }
        return;
      } catch (error) {
        if (tries === creations || !hasCode(error, "ENOENT")) throw error; // else: its parent went meanwhile
      }
    }
  }

  limit(path: string, limits: CgroupLimits): Promise<void> {
    return this.#dialect.limit(checked(path), limits);
  }

  /**
   * How many of its processes were killed for want of memory; 0 when it is gone. In version 2 with those of the control
   * groups below it.
   */
  oomKills(path: string): Promise<number> {
    return this.#dialect.oomKills(checked(path));
  }

  usage(path: string): Promise<CgroupUsage> {
    return this.#dialect.usage(checked(path));
  }

  /**
   * Calls `onKill` with the count whenever it has grown, also for kills before the watch began. In version 1, where the
   * kernel tells nobody that we can hear, up to half a second later.
   */
  watchOom(path: string, events: { onKill(kills: number): void; onError(error: unknown): void }): Disposable {
    let seen = 0;
    let isOpen = true;
    const look = async (): Promise<void> => {
      const kills = await this.oomKills(path);
      if (!isOpen || kills <= seen) return;
      seen = kills;
      events.onKill(kills);
    };
    const lookSafely = (): void => void look().catch((error: unknown) => events.onError(error));
    const watcher = this.#dialect.watchMemory(checked(path), lookSafely);
    lookSafely();
    return {
      [Symbol.dispose]() {
        isOpen = false;
        watcher[Symbol.dispose]();
      },
    };
  }

  /** Every process in it and below, in any hierarchy; zombies are none. Empty when it is gone. */
  async pids(path: string): Promise<number[]> {
    const pids = new Set(this.folders(path).flatMap(groupsBelow).flatMap(pidsIn));
    return [...pids].sort((a, b) => a - b);
  }

  /** Ends every process in it and below, frozen ones as well; resolves when none is left. Nothing may run in it again. */
  async kill(path: string): Promise<void> {
    const isEmpty = async (): Promise<boolean> => {
      if ((await this.pids(path)).length === 0) return true;
      await this.#dialect.killRound(path);
      return false;
    };
    await this.#until(isEmpty, patienceMs.kill, async () => {
      const left = await this.pids(path);
      return new PlatformError(`processes of ${path} do not end: ${left.join(", ")}`, {
        hint: "they wait for a device or a network file system; `ps -o pid,state,wchan,cmd` shows for which",
      });
    });
  }

  /** Takes it away with all below it, in every hierarchy; its processes must have ended. Twice does no harm. */
  async remove(path: string): Promise<void> {
    for (const folder of this.folders(path)) {
      let reason = "";
      const isGone = async (): Promise<boolean> => {
        try {
          for (const group of groupsBelow(folder)) await removeFolder(group);
          return true;
        } catch (error) {
          if (!hasCode(error, "EBUSY")) throw error; // a process ends, or something below was made meanwhile
          reason = messageOf(error);
          return false;
        }
      };
      await this.#until(isGone, patienceMs.remove, async () => {
        const left = await this.pids(path);
        const inside = left.length === 0 ? "" : `; processes in it: ${left.join(", ")}`;
        return new PlatformError(`the control group ${path} cannot be removed: ${reason}${inside}`);
      });
    }
  }

  /** Takes it away where nothing is in it: a platform that ends leaves no empty parents, and touches no other's. */
  async removeIfEmpty(path: string): Promise<void> {
    for (const folder of this.folders(path)) {
      try {
        await removeFolder(folder);
      } catch (error) {
        if (!hasCode(error, "EBUSY", "ENOTEMPTY")) throw error;
      }
    }
  }

  /** The names of the control groups directly below it, in any hierarchy. */
  async children(path: string): Promise<string[]> {
    return [...new Set(this.folders(path).flatMap((folder) => namesIn(folder) ?? []))].sort();
  }

  /**
   * Lets all its processes stand still. The ceiling of CPU time is lifted for the while: a process that has used up its
   * time must get some to reach the point where it stops.
   */
  async freeze(path: string): Promise<Frozen> {
    const dialect = this.#dialect;
    const quota = await dialect.liftQuota(checked(path));
    let isThawed = false;
    const thaw = async (): Promise<void> => {
      if (isThawed) return;
      isThawed = true;
      await dialect.setFrozen(path, false);
      if (quota !== undefined) await dialect.restoreQuota(path, quota);
    };
    try {
      await dialect.setFrozen(path, true);
      const describe = async (): Promise<PlatformError> => new PlatformError(`processes of ${path} cannot be frozen`);
      await this.#until(() => dialect.isFrozen(path), patienceMs.freeze, describe);
    } catch (error) {
      await thaw();
      throw error;
    }
    return { thaw };
  }

  /** Lets it go on, whoever froze it; the limit of CPU time must be set again. */
  async thaw(path: string): Promise<void> {
    await this.#dialect.setFrozen(checked(path), false);
  }

  async #until(look: () => Promise<boolean>, ms: number, failure: () => Promise<PlatformError>): Promise<void> {
    const deadline = this.#clock.now() + ms;
    for (let pauseMs = 1; !(await look()); pauseMs = Math.min(longestPauseMs, pauseMs * 2)) {
      if (this.#clock.now() >= deadline) throw await failure();
      await sleep(this.#clock, pauseMs);
    }
  }
}

/** Control groups are killed and removed with all below them, so a path that could mean more than its words is refused. */
function checked(path: string): string {
  if (/^(?:\/[A-Za-z0-9][\w.-]*)+$/.test(path)) return path;
  throw new PlatformError(`${JSON.stringify(path)} is no path of a control group`);
}

async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder);
  } catch (error) {
    if (!hasCode(error, "EEXIST")) throw error;
  }
}

/** Only the folder: the kernel's files in it go with it. */
async function removeFolder(folder: string): Promise<void> {
  try {
    await rmdir(folder);
  } catch (error) {
    if (!hasCode(error, "ENOENT", "ENODEV")) throw error;
  }
}
