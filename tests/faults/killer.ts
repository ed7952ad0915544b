/** kill -9 at the moments that are asked for, and a count of what was hit and when. */
import { setTimeout as pause } from "node:timers/promises";

import { hasCode } from "@lydian/kit";
import type { Platform, Random } from "@lydian/testkit";

import { type Aim, type Victim, victims } from "./aims.ts";
import { Containers, type Moment, moments, type Part, parts } from "./containers.ts";

/** About how long it lasts, so that any part of it may be hit. runc is at work for the second half of `create`. */
const lengthMs: Record<Moment, number> = { lay: 50, create: 50, import: 400, run: 200, idle: 300, stop: 800 };

/** Between two looks: short beside the 30 ms that runc takes. */
const lookMs = 2;

/** In which such a moment comes along, though all parts of the platform may have been killed just now. */
const patienceMs = 180_000;

export class Killer {
  /** Containers of which these parts were killed. */
  readonly hit: Readonly<Record<Part, Set<string>>> = { conmon: new Set(), runc: new Set(), init: new Set() };
  readonly #counts: Record<Victim, Partial<Record<Moment, number>>>;
  readonly #platform: Platform;
  readonly #containers: Containers;
  readonly #random: Random;

  private constructor(platform: Platform, containers: Containers, random: Random) {
    this.#platform = platform;
    this.#containers = containers;
    this.#random = random;
    this.#counts = { server: {}, worker: {}, conmon: {}, runc: {}, init: {} };
  }

  static async of(platform: Platform, random: Random): Promise<Killer> {
    return new Killer(platform, await Containers.of(platform.names), random);
  }

  /** Whether the container has ended by what was killed of it. */
  isEnded(id: string): boolean {
    return parts.some((part) => this.hit[part].has(id));
  }

  get kills(): number {
    return victims.reduce((sum, victim) => sum + this.#total(victim), 0);
  }

  /** Waits for a container at such a moment, then for a while, and kills if all victims are there; else for the next one. */
  async strike(aim: Aim): Promise<void> {
    const dueAt = new Map<string, number>();
    for (const deadline = performance.now() + patienceMs; performance.now() < deadline; await pause(lookMs)) {
      for (const { id, moment } of this.#containers.list()) {
        if (!aim.moments.includes(moment)) continue;
        const due = dueAt.get(`${id} ${moment}`) ?? performance.now() + this.#random.below(lengthMs[moment]);
        dueAt.set(`${id} ${moment}`, due);
        if (performance.now() >= due && (await this.#kill(id, moment, aim.victims))) return;
      }
    }
    const who = aim.victims.join(" and ");
    throw new Error(this.#platform.describe(`there was no ${who} at ${aim.moments.join(" or ")}`));
  }

  /** All at once, or none. */
  async #kill(id: string, moment: Moment, names: readonly Victim[]): Promise<boolean> {
    const pids = await Promise.all(names.map((name) => this.#pid(id, name)));
    if (pids.includes(undefined)) return false;
    for (const [at, name] of names.entries()) {
      const pid = pids[at];
      if (pid === undefined || !kill(pid)) continue;
      this.#counts[name][moment] = (this.#counts[name][moment] ?? 0) + 1;
      if (name !== "server" && name !== "worker") this.hit[name].add(id);
    }
    return true;
  }

  async #pid(id: string, victim: Victim): Promise<number | undefined> {
    return victim === "server" || victim === "worker"
      ? this.#platform.process(victim)?.pid
      : this.#containers.pid(id, victim);
  }

  #total(victim: Victim): number {
    return Object.values(this.#counts[victim]).reduce((sum, count) => sum + count, 0);
  }

  /** A line for each victim. */
  describe(): string[] {
    return victims.map((victim) => {
      const counts = moments.map((moment) => `${moment} ${this.#counts[victim][moment] ?? 0}`);
      return `${victim} killed ${this.#total(victim)} times: ${counts.join(", ")}`;
    });
  }
}

/** False when it has ended a moment ago. */
export function kill(pid: number): boolean {
  try {
    process.kill(pid, "SIGKILL");
    return true;
  } catch (error) {
    if (hasCode(error, "ESRCH")) return false;
    throw error;
  }
}
