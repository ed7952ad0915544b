/**
 * How nothing polls: whoever waits for a change checks once, then sleeps until a bell rings or the time is up.
 *
 * A bell carries no data and may ring too often; the truth is always in the store.
 */
import type { Clock } from "./clock.ts";

interface Waiter {
  rung: boolean;
  wake: () => void;
}

export class Bells {
  readonly #waiters = new Map<string, Set<Waiter>>();

  /** Wakes those who wait for this key: all of them, or the `count` that have waited longest. */
  ring(key: string, count = Number.POSITIVE_INFINITY): void {
    const waiters = this.#waiters.get(key);
    if (waiters === undefined) return;
    let left = count;
    for (const waiter of waiters) {
      if (left <= 0) return;
      if (waiter.rung) continue;
      left--;
      waiter.rung = true;
      waiter.wake();
    }
  }

  /** How many wait for this key. */
  waiting(key: string): number {
    return this.#waiters.get(key)?.size ?? 0;
  }

  /**
   * Runs `check` until it answers something other than undefined, sleeping between the tries until one of `keys` rings.
   * Answers undefined when `waitMs` have passed; rejects with the signal's reason when it aborts. A ring that comes
   * while `check` runs is not lost, and a ring that this waiter can no longer use goes to the next one.
   */
  async until<T>(
    keys: readonly string[],
    check: () => Promise<T | undefined>,
    options: { clock: Clock; waitMs: number; signal?: AbortSignal },
  ): Promise<T | undefined> {
    const { clock, signal } = options;
    const deadline = clock.now() + options.waitMs;
    let wasWoken = false; // by a ring whose cause nobody has looked at yet
    for (;;) {
      signal?.throwIfAborted();
      const waiter: Waiter = { rung: false, wake: () => {} };
      this.#enter(keys, waiter);
      let checksAgain = false;
      try {
        const found = await check();
        wasWoken = false;
        if (found !== undefined) return found;
        const leftMs = deadline - clock.now();
        if (leftMs <= 0) return undefined;
        await this.#sleep(waiter, clock, leftMs, signal);
        checksAgain = signal?.aborted !== true;
      } finally {
        this.#leave(keys, waiter);
        // Rung, but after the last look: what the ring was for is still there, and another may be asleep beside it.
        if (wasWoken || (waiter.rung && !checksAgain)) for (const key of keys) this.ring(key, 1);
        wasWoken = waiter.rung && checksAgain;
      }
    }
  }

  #sleep(waiter: Waiter, clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (waiter.rung || signal?.aborted) return resolve();
      const done = (): void => {
        timer[Symbol.dispose]();
        signal?.removeEventListener("abort", done);
        resolve();
      };
      const timer = clock.timer(ms, done);
      waiter.wake = done;
      signal?.addEventListener("abort", done, { once: true });
    });
  }

  #enter(keys: readonly string[], waiter: Waiter): void {
    for (const key of keys) {
      const waiters = this.#waiters.get(key) ?? new Set();
      waiters.add(waiter);
      this.#waiters.set(key, waiters);
    }
  }

  #leave(keys: readonly string[], waiter: Waiter): void {
    for (const key of keys) {
      const waiters = this.#waiters.get(key);
      waiters?.delete(waiter);
      if (waiters?.size === 0) this.#waiters.delete(key);
    }
  }
}
