/** Counts are added up, and times come back within five per cent of what they were. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { add, compact, emptyTally, observe, quantile, type Sketch } from "../../src/domain/tally.ts";

function sketchOf(times: readonly number[]): Sketch {
  const sketch: Sketch = {};
  for (const ms of times) observe(sketch, ms);
  return sketch;
}

test("percentiles are within five per cent, from tenths of a millisecond to days", () => {
  for (const scale of [0.1, 1, 73, 86_400_000]) {
    const times = Array.from({ length: 1_000 }, (_, n) => scale * (1 + n / 10));
    const sketch = sketchOf(times);
    for (const share of [0.01, 0.5, 0.9, 0.99, 1]) {
      const exact = times[Math.ceil(share * times.length) - 1] ?? 0;
      const ratio = (quantile(sketch, share) ?? 0) / exact;
      assert.ok(ratio > 0.95 && ratio < 1.05, `${share} of ${scale}: ${ratio}`);
    }
  }
  assert.equal(quantile({}, 0.5), undefined);
  assert.ok((quantile(sketchOf([0]), 0.5) ?? 1) <= 0.1, "nothing took no time");
});

test("a sum is as if all had been counted at once, also through JSON", () => {
  const [one, two, both] = [emptyTally(), emptyTally(), emptyTally()];
  for (const [tally, ms] of [[one, 5] as const, [two, 5] as const, [two, 700] as const]) {
    for (const each of [tally, both]) {
      each.succeeded++;
      each.statuses[200] = (each.statuses[200] ?? 0) + 1;
      observe(each.ran, ms);
    }
  }
  const through = [one, two].map((tally) => JSON.parse(JSON.stringify(compact(tally))));
  assert.deepEqual(
    through.reduce((sum, tally) => add(sum, tally), emptyTally()),
    both,
  );
  assert.deepEqual(compact(emptyTally()), {});
});
