/** How often and how soon an input is tried again whose own code failed. */

export interface RetryPolicy {
  /** Attempts after the first. */
  retries: number;
  initialMs: number;
  /** Each delay is this many times the one before. */
  factor: number;
  maxMs: number;
}

export const noRetries: RetryPolicy = { retries: 0, initialMs: 1_000, factor: 1, maxMs: 60_000 };

/** Before the `n`th further attempt, counted from 1. */
export function retryDelayMs({ initialMs, factor, maxMs }: RetryPolicy, n: number): number {
  const times = Math.min(factor ** (n - 1), Number.MAX_VALUE); // not infinite: no delay stays none
  return Math.min(maxMs, Math.round(initialMs * times));
}
