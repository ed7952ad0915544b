/** Who has been heard of in time: each key has a deadline, and whoever lets it pass is reported once. */
import type { Clock, Timer } from "./clock.ts";

/**
 * Kept in memory alone: after a restart everybody who is known gets a whole term again, which can only be too kind.
 */
export class Leases implements Disposable {
  readonly #clock: Clock;
  readonly #onExpired: (key: string) => void;
  readonly #deadlines = new Map<string, number>();
  #timer: Timer | undefined;
  #timerAt = Number.POSITIVE_INFINITY;

  constructor(clock: Clock, onExpired: (key: string) => void) {
    this.#clock = clock;
    this.#onExpired = onExpired;
  }

  /** Heard of now: good for `termMs` from here. */
  renew(key: string, termMs: number): void {
    const deadline = this.#clock.now() + termMs;
    this.#deadlines.set(key, deadline);
    if (deadline < this.#timerAt) this.#arm(deadline);
  }

  /** Ended in order: nothing is reported. */
  drop(key: string): void {
    this.#deadlines.delete(key);
  }

  has(key: string): boolean {
    return this.#deadlines.has(key);
  }

  [Symbol.dispose](): void {
    this.#deadlines.clear();
    this.#timer?.[Symbol.dispose]();
  }

  /** A renewal does not move the timer: it fires at the earliest old deadline and looks then. */
  #arm(at: number): void {
    this.#timer?.[Symbol.dispose]();
    this.#timerAt = at;
    this.#timer = this.#clock.timer(at - this.#clock.now(), () => this.#look()).unref();
  }

  #look(): void {
    this.#timerAt = Number.POSITIVE_INFINITY;
    const now = this.#clock.now();
    const expired: string[] = [];
    let next = Number.POSITIVE_INFINITY;
    for (const [key, deadline] of this.#deadlines) {
      if (deadline <= now) expired.push(key);
      else next = Math.min(next, deadline);
    }
    for (const key of expired) this.#deadlines.delete(key);
    if (Number.isFinite(next)) this.#arm(next);
    for (const key of expired) this.#onExpired(key);
  }
}
