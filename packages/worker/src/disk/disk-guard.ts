/**
 * Keeps containers from filling the disk that all of them share with the platform: each that goes beyond its own limit is
 * ended, and when the disk itself is nearly full, what nobody needs goes, and then the container that holds most of it.
 *
 * A disk tells nobody that it fills, so this looks, about once a second and only while containers run; what containers
 * hold is counted only when that can matter.
 */
import { type Clock, type Logger, sleep, type Timer } from "@lydian/kit";

import type { DiskGauge } from "./disk-gauge.ts";
import { PacedWork } from "./paced-work.ts";
import { amountOf, byteReserve, inodeReserve, pauseMs, type Room, type Unit, usualPace } from "./room.ts";
import { RoomMaker } from "./room-maker.ts";
import { type Holding, type Verdict, whoMustEnd } from "./verdict.ts";

export interface GuardedContainer {
  readonly id: string;
  /** Has all on the data disk that ends with the container: what it has written, its log among it. */
  readonly folder: string;
  /** Its own limit, if it has one. */
  readonly limitMib: number | undefined;
  /** It has just been started, and holds next to nothing. */
  readonly isFresh: boolean;
  readonly pids: () => Promise<readonly number[]>;
  /** Ends it at once, for this reason. */
  readonly end: (message: string) => void;
}

export interface DiskGuardOptions {
  readonly gauge: DiskGauge;
  /** What lies in this folder is being deleted. */
  readonly trash: string;
  /** Bytes that stay free; room.ts has the usual. */
  readonly reserve?: number | undefined;
  /** Frees so many bytes of what nobody needs, if it can; answers how many. */
  readonly makeRoom?: (bytes: number) => Promise<number>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What the guard knows of a container. */
interface Watched extends GuardedContainer {
  held: number;
  /** How far the disk had fallen when that was counted. */
  fallenThen: number;
  countedAt: number;
  /** What it holds comes back. */
  isEnding: boolean;
}

type WatchedHolding = Holding & { readonly container: Watched };

const mebibyte = 2 ** 20;

/** What counting may take when the disk is nearly full, and when it is not. */
const urgentMs = 1000;
const patientMs = 60_000;

/** Counting is work for the disk as well. */
const restFactor = 3;

/** How long that nobody must end is taken to stay so. */
const nothingToDoMs = 1000;

/** What anybody deletes hides that as much was written, so nobody with a limit stays uncounted for longer. */
const staleMs = 30_000;

/** How long a full disk is waited for: time to delete what a container leaves that had filled it. */
const roomMs = 20_000;

/** What is freed when inodes are short, whose number nobody knows: files that go take theirs with them. */
const roomForInodes = 2 ** 30;

export class DiskGuard {
  readonly #options: DiskGuardOptions;
  readonly #watched = new Set<Watched>();
  readonly #limitCounts: PacedWork;
  readonly #urgentCounts: PacedWork;
  readonly #room: RoomMaker;
  #timer: Timer | undefined;
  #isLooking = false;
  /** Who waits until there is room. */
  readonly #waiting = new Set<() => void>();
  /** The trash has something, or had since the last look. */
  #isFreeing = false;
  #last: { at: number; free: number } | undefined;
  /** The sum of all that the free room has fallen by between two looks. */
  #fallen = 0;
  /** The fastest fall so far, in bytes per millisecond. */
  #pace = usualPace;
  /** Said once, until it is over. */
  #hasWarned = false;
  #isBlind = false;

  constructor(options: DiskGuardOptions) {
    this.#options = options;
    this.#limitCounts = new PacedWork(options.clock, restFactor);
    this.#urgentCounts = new PacedWork(options.clock, restFactor);
    this.#room = new RoomMaker({ ...options, free: options.makeRoom });
  }

  /** Watches a container until that is disposed of: when what it held is deleted, or lies in the trash. */
  watch(container: GuardedContainer): Disposable {
    const fallenThen = container.isFresh ? this.#fallen : Number.NEGATIVE_INFINITY;
    const countedAt = this.#options.clock.now();
    const watched: Watched = { ...container, held: 0, fallenThen, countedAt, isEnding: false };
    this.#watched.add(watched);
    this.#lookAfter(0);
    return {
      [Symbol.dispose]: () => {
        this.#watched.delete(watched);
        this.#isFreeing = true;
        this.#restIfIdle();
      },
    };
  }

  /** Resolves when what must stay free is free, after a time in which that should have come about, or when aborted. */
  async room(signal: AbortSignal): Promise<void> {
    const there = new AbortController();
    const resolve = (): void => there.abort();
    this.#waiting.add(resolve);
    this.#lookAfter(0);
    await sleep(this.#options.clock, roomMs, AbortSignal.any([signal, there.signal])).catch(() => {}); // all three will do
    this.#waiting.delete(resolve);
    this.#restIfIdle();
  }

  get #isIdle(): boolean {
    return this.#watched.size === 0 && this.#waiting.size === 0;
  }

  #restIfIdle(): void {
    if (!this.#isIdle) return;
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    this.#last = undefined;
  }

  #lookAfter(ms: number): void {
    if (this.#timer !== undefined || this.#isLooking || this.#isIdle) return;
    const look = (): void => {
      this.#timer = undefined;
      void this.#round();
    };
    this.#timer = this.#options.clock.timer(ms, look).unref();
  }

  async #round(): Promise<void> {
    this.#isLooking = true;
    let nextMs = pauseMs(Number.POSITIVE_INFINITY, this.#pace);
    try {
      nextMs = await this.#look();
      this.#isBlind = false;
    } catch (error) {
      if (!this.#isBlind) this.#options.logger.error({ err: error }, "the data disk cannot be looked at");
      this.#isBlind = true;
    }
    this.#isLooking = false;
    this.#lookAfter(nextMs);
  }

  /** Answers when to look again. */
  async #look(): Promise<number> {
    const { gauge, trash, reserve, logger } = this.#options;
    const { bytes, inodes } = await gauge.rooms();
    this.#follow(bytes);
    const kept = reserve ?? byteReserve(bytes.total);
    const spare = bytes.free - kept;
    if (spare < kept) void this.#room.make(kept - spare); // in time, so that no container need end
    const spareInodes = inodes === undefined ? 0 : inodes.free - inodeReserve(inodes.total);
    if (spare < 0) await this.#relieve("bytes", bytes, -spare);
    else if (inodes !== undefined && spareInodes < 0) await this.#relieve("inodes", inodes, -spareInodes);
    else {
      this.#hasWarned = false;
      for (const resolve of this.#waiting) resolve();
    }
    const wasFreeing = this.#isFreeing;
    this.#isFreeing = await gauge.hasEntries(trash);
    const due = this.#perhapsOverLimit(wasFreeing || this.#isFreeing);
    if (due.length > 0) {
      // Beside the looks, since it may take long.
      void this.#enforceLimits(due).catch((error: unknown) => {
        logger.error({ err: error }, "what containers hold of the disk could not be counted");
      });
    }
    return pauseMs(Math.min(spare, ...[...this.#watched].map(headroom)), this.#pace);
  }

  #follow({ free }: Room): void {
    const at = this.#options.clock.now();
    if (this.#last !== undefined && free < this.#last.free) {
      const fall = this.#last.free - free;
      this.#fallen += fall;
      this.#pace = Math.max(this.#pace, fall / Math.max(1, at - this.#last.at));
    }
    this.#last = { at, free };
  }

  /** Those of which half of what they had left may have been written since they were counted, by whomever. */
  #perhapsOverLimit(isHidden: boolean): Watched[] {
    const now = this.#options.clock.now();
    return [...this.#watched].filter((container) => {
      const { limitMib, isEnding, fallenThen, countedAt } = container;
      if (limitMib === undefined || isEnding) return false;
      return (
        isHidden ||
        now - countedAt >= staleMs ||
        this.#fallen - fallenThen >= Math.max(headroom(container) / 2, mebibyte)
      );
    });
  }

  #enforceLimits(due: readonly Watched[]): Promise<void> {
    return this.#limitCounts.run(async () => {
      for (const { container, held } of await this.#holdings(due, "bytes", patientMs)) {
        if (held === undefined || headroom(container) >= 0) continue;
        const what = `it has filled ${amountOf("bytes", held)}, and its limit is ${container.limitMib} MiB`;
        this.#end(container, `${what}; raise the function's ephemeral_disk, or let it delete what it does not need`);
      }
    });
  }

  /** `lack` is what is missing to the reserve. */
  #relieve(unit: Unit, room: Room, lack: number): Promise<void> {
    return this.#urgentCounts.run(async () => {
      if (await this.#room.hasMade(unit === "bytes" ? lack : roomForInodes, urgentMs)) return 0;
      const { gauge, trash, logger } = this.#options;
      const [holdings, inTrash] = await Promise.all([
        this.#holdings([...this.#watched], unit, urgentMs),
        gauge.count([{ folder: trash, pids: [] }], unit, urgentMs),
      ]);
      const [ending, others] = parted(holdings, ({ container }) => container.isEnding);
      // What is in the trash and cannot be counted in time is a great deal: it is waited for.
      const comesBack = sumOfHeld([...inTrash, ...ending], Number.POSITIVE_INFINITY);
      const verdict = whoMustEnd(lack - comesBack, others);
      const container = others.find(({ id }) => id === verdict?.id)?.container;
      if (verdict !== undefined && container !== undefined) {
        return this.#end(container, `${roomLeft(unit, room)}, and ${share(unit, verdict)}; ${remedy}`);
      }
      if (comesBack < lack && !this.#hasWarned) {
        this.#hasWarned = true;
        logger.warn({ ...room, unit }, "the data disk is nearly full, and no container holds what is missing");
      }
      return nothingToDoMs;
    });
  }

  /** Notes what they hold, too. Without those that have gone meanwhile. */
  async #holdings(containers: readonly Watched[], unit: Unit, patienceMs: number): Promise<WatchedHolding[]> {
    const fallen = this.#fallen;
    const countedAt = this.#options.clock.now();
    const subjects = await Promise.all(containers.map(async ({ folder, pids }) => ({ folder, pids: await pids() })));
    const counts = await this.#options.gauge.count(subjects, unit, patienceMs);
    const holdings = containers.map((container, index) => {
      const { held, wrote } = counts[index] ?? { held: undefined, wrote: 0 };
      if (unit === "bytes" && held !== undefined) {
        Object.assign(container, { held, fallenThen: fallen, countedAt });
      }
      return { id: container.id, container, held, wrote: unit === "bytes" ? wrote : undefined };
    });
    return holdings.filter(({ container }) => this.#watched.has(container));
  }

  #end(container: Watched, message: string): void {
    container.isEnding = true;
    this.#options.logger.warn({ container: container.id, message }, "a container is ended for want of disk");
    container.end(message);
  }
}

/** What a container may still write; Infinity without a limit. */
function headroom({ limitMib, held }: Watched): number {
  return limitMib === undefined ? Number.POSITIVE_INFINITY : limitMib * mebibyte - held;
}

function parted<T>(items: readonly T[], test: (item: T) => boolean): [T[], T[]] {
  return [items.filter(test), items.filter((item) => !test(item))];
}

function sumOfHeld(counts: readonly Pick<Holding, "held">[], unknown: number): number {
  return counts.reduce((sum, { held = unknown }) => sum + held, 0);
}

function roomLeft(unit: Unit, { free, total }: Room): string {
  return `the machine's disk was nearly full (${amountOf(unit, free)} left of ${amountOf(unit, total)})`;
}

function share(unit: Unit, { by, amount }: Verdict): string {
  if (amount === Number.POSITIVE_INFINITY) return "it held more files than could be counted";
  const most = by === "held" ? "it held the most" : "it had written the most";
  return `${most}, ${amountOf(unit, amount)}`;
}

const remedy = "let the machine's operator make room, or let it write less";
