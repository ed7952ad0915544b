/** Waiting in real time, always with an end: for promises, and for what tells nobody when it changes. */
import { setTimeout as delay } from "node:timers/promises";

/** Fails when the promise takes longer. */
export async function within<T>(ms: number, promise: Promise<T>, describe: () => string): Promise<T> {
  const patience = Promise.withResolvers<never>();
  const timer = setTimeout(() => patience.reject(new Error(`after ${ms} ms: ${describe()}`)), ms);
  try {
    return await Promise.race([promise, patience.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Looks until the answer is one (neither undefined nor false): for /proc, files of others, and their like. */
export async function until<T>(
  ms: number,
  look: () => T | Promise<T>,
  describe: () => string,
  pauseMs = 10,
): Promise<Exclude<T, undefined | false>> {
  for (const deadline = performance.now() + ms; ;) {
    const found = await look();
    if (found !== undefined && found !== false) return found as Exclude<T, undefined | false>;
    if (performance.now() > deadline) throw new Error(`after ${ms} ms: ${describe()}`);
    await delay(pauseMs);
  }
}
