/** Time that moves only when a test says so. */
import type { Clock, Timer } from "@lydian/kit";

interface Pending {
  at: number;
  fire: () => void;
}

/** Turns of the event loop after which what one event causes has happened: a few commits, each a turn, and their readers. */
const turnsToSettle = 12;

/** More timers than this in one advance mean that somebody sets one after the other. */
const mostTimers = 100_000;

/** Some turns of the event loop, for what was begun to come to its next wait. */
export async function turns(count: number = turnsToSettle): Promise<void> {
  for (let left = count; left > 0; left--) await new Promise((resolve) => setImmediate(resolve));
}

export class ManualClock implements Clock {
  readonly #pending = new Set<Pending>();
  #now: number;

  /** Starts at a round moment that is no test's real time. */
  constructor(startMs: number = Date.UTC(2030, 0, 1)) {
    this.#now = startMs;
  }

  now(): number {
    return this.#now;
  }

  timer(delayMs: number, fire: () => void): Timer {
    const pending: Pending = { at: this.#now + Math.max(0, delayMs), fire };
    this.#pending.add(pending);
    const timer: Timer = {
      unref: () => timer,
      [Symbol.dispose]: () => void this.#pending.delete(pending),
    };
    return timer;
  }

  /** How many timers have not fired. */
  get pending(): number {
    return this.#pending.size;
  }

  /** When the next timer fires; undefined when there is none. */
  get nextAt(): number | undefined {
    return this.#next()?.at;
  }

  /** Lets what is under way come to rest, and fires what is due now. */
  settle(): Promise<void> {
    return this.advance(0);
  }

  /** Moves on by `ms`: timers fire in the order of their times, and what each one causes happens before the next. */
  async advance(ms: number): Promise<void> {
    const target = this.#now + ms;
    await turns();
    for (let fired = 0; ; fired++) {
      const next = this.#next();
      if (next === undefined || next.at > target) break;
      if (fired > mostTimers) throw new Error(`more than ${mostTimers} timers within ${ms} ms: somebody is busy`);
      this.#now = Math.max(this.#now, next.at);
      this.#pending.delete(next);
      next.fire();
      await turns();
    }
    this.#now = target;
  }

  /** The earliest; of several at the same time the one that was set first. */
  #next(): Pending | undefined {
    let earliest: Pending | undefined;
    for (const pending of this.#pending) if (earliest === undefined || pending.at < earliest.at) earliest = pending;
    return earliest;
  }
}
