/** How long an input waits before each further attempt. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { type RetryPolicy, noRetries, retryDelayMs } from "../../src/domain/retry.ts";

const delays = (changes: Partial<RetryPolicy>, count: number): number[] =>
  Array.from({ length: count }, (_, n) => retryDelayMs({ ...noRetries, retries: count, ...changes }, n + 1));

test("each delay is a multiple of the one before, up to the longest", () => {
  assert.deepEqual(
    delays({ initialMs: 1_000, factor: 2, maxMs: 10_000 }, 6),
    [1_000, 2_000, 4_000, 8_000, 10_000, 10_000],
  );
  assert.deepEqual(delays({ initialMs: 500, factor: 1 }, 3), [500, 500, 500]);
  assert.deepEqual(delays({ initialMs: 70_000, factor: 1 }, 2), [60_000, 60_000]);
  assert.deepEqual(delays({ initialMs: 0, factor: 2 }, 3), [0, 0, 0]);
});

test("a delay is a whole number of milliseconds, however often it was multiplied", () => {
  for (const initialMs of [0, 1, 1_000]) {
    for (const factor of [1, 1.5, 10]) {
      for (const n of [1, 2, 100, 1_100, 4_294_967_295]) {
        const delay = retryDelayMs({ retries: n, initialMs, factor, maxMs: 60_000 }, n);
        assert.ok(
          Number.isInteger(delay) && delay >= 0 && delay <= 60_000,
          `${initialMs} × ${factor} ** ${n}: ${delay}`,
        );
      }
    }
  }
});
