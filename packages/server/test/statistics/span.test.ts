/** Which time is asked for, and in which steps. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { bucketsOf, spanOf } from "../../src/statistics/span.ts";

const minute = 60_000;
const hour = 60 * minute;
const now = 1_000 * hour + 90_000;

test("without a word it is the last hour", () => {
  assert.deepEqual(spanOf(undefined, undefined, now, 7), { since: now - hour, until: now });
  assert.deepEqual(spanOf(undefined, now - hour, now, 7), { since: now - 2 * hour, until: now - hour });
  assert.throws(() => spanOf(now, now, now, 7), /ends before it begins/);
  assert.throws(() => spanOf(now - 169 * hour, now, now, 7), /longer than 7 days/);
});

test("buckets begin and end at multiples of their width, and are about a hundred", () => {
  const span = { since: now - hour, until: now };
  assert.deepEqual(bucketsOf(span, undefined), {
    ...{ since: now - hour - 30_000, until: now - 30_000, widthMs: minute, count: 60 },
  });
  assert.equal(bucketsOf({ since: now - 24 * hour, until: now }, undefined).widthMs, 15 * minute);
  assert.equal(bucketsOf({ since: now - 31 * 24 * hour, until: now }, undefined).widthMs, 8 * hour);
  assert.equal(bucketsOf(span, 300).count, 12);
  assert.throws(() => bucketsOf(span, 90), /Buckets of 90 seconds are not there/);
  assert.throws(() => bucketsOf({ since: now - 24 * hour, until: now }, 60), /1440 buckets are more than 500/);
});
