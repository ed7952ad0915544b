/** Time as a parameter: production reads the system's clock, tests advance a manual one. */

/** A pending timer; disposing it (twice does no harm) means that it never fires. */
export interface Timer extends Disposable {
  /** A timer that is unreferenced does not keep the process alive. */
  unref(): this;
}

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls `fire` once, `delayMs` from now; a delay of zero or less fires in the next turn. */
  timer(delayMs: number, fire: () => void): Timer;
}

/** The longest delay that the runtime's timers take (2^31 - 1 ms, about 24.8 days). */
const longestDelayMs = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  timer(delayMs, fire) {
    const handle = setTimeout(fire, Math.min(Math.max(delayMs, 0), longestDelayMs));
    const timer: Timer = {
      unref: () => (handle.unref(), timer),
      [Symbol.dispose]: () => clearTimeout(handle),
    };
    return timer;
  },
};

/** Resolves after `ms`, or rejects with the signal's reason as soon as it aborts. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error);
    const timer = clock.timer(ms, () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    });
    const onAbort = (): void => {
      timer[Symbol.dispose]();
      reject(signal?.reason as Error);
    };
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
