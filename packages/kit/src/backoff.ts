/** How long to wait before the next try: pure, so that tables can test it. */

export interface BackoffPolicy {
  /** Delay before the first repetition, in milliseconds. */
  initialMs: number;
  /** Each delay is the one before times this. */
  factor: number;
  maxMs: number;
}

/** The delay before repetition number `repetition` (1, 2, …). */
export function backoffMs(policy: BackoffPolicy, repetition: number): number {
  return Math.min(policy.maxMs, policy.initialMs * policy.factor ** (repetition - 1));
}
