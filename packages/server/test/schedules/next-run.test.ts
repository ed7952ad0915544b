/** When rules want their next run: crontab's words, the days when clocks change, months of different lengths. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import type { CronRule, Period } from "../../src/domain/schedule.ts";
import { nextRun } from "../../src/schedules/next-run.ts";

const cron = (expression: string, timezone = "UTC"): CronRule => ({ kind: "cron", expression, timezone });
const period = (parts: Partial<Period>): Period => ({ kind: "period", months: 0, days: 0, ms: 0, ...parts });
const at = (text: string): number => Date.parse(text);

/** The runs after a moment, one after the other. */
function* runs(rule: CronRule | Period, from: string): Generator<number> {
  const anchor = at(from);
  for (let moment: number | undefined = anchor; ;) {
    moment = nextRun(rule, anchor, moment);
    if (moment === undefined) return;
    yield moment;
  }
}

const first = (rule: CronRule | Period, from: string, count: number): string[] =>
  runs(rule, from)
    .take(count)
    .map((moment) => new Date(moment).toISOString().replace(":00.000Z", "Z"))
    .toArray();

describe("a cron rule", () => {
  it("means what crontab means by it", () => {
    const from = "2026-01-01T00:00:00Z";
    assert.deepEqual(first(cron("*/15 * * * *"), from, 3), [
      "2026-01-01T00:15Z",
      "2026-01-01T00:30Z",
      "2026-01-01T00:45Z",
    ]);
    assert.deepEqual(first(cron("0 8 * * 1"), from, 2), ["2026-01-05T08:00Z", "2026-01-12T08:00Z"]);
    assert.deepEqual(first(cron("0 0 * * 7"), from, 1), ["2026-01-04T00:00Z"]);
    assert.deepEqual(first(cron("30 9-17/4 * jan,MAR fri"), from, 4), [
      "2026-01-02T09:30Z",
      "2026-01-02T13:30Z",
      "2026-01-02T17:30Z",
      "2026-01-09T09:30Z",
    ]);
    // A day of the month or a day of the week, when both are named.
    assert.deepEqual(first(cron("0 0 13 * 5"), from, 3), [
      "2026-01-02T00:00Z",
      "2026-01-09T00:00Z",
      "2026-01-13T00:00Z",
    ]);
    assert.deepEqual(first(cron("0 0 29 2 *"), "2097-01-01T00:00:00Z", 2), ["2104-02-29T00:00Z", "2108-02-29T00:00Z"]);
    assert.deepEqual(first(cron("@daily"), from, 1), ["2026-01-02T00:00Z"]);
    assert.deepEqual(first(cron("0 0 30 2 *"), from, 1), []);
  });

  it("that names an hour runs at the end of the gap, and once in the hour that comes twice", () => {
    const zone = "America/New_York";
    assert.deepEqual(first(cron("30 2 * * *", zone), "2026-03-07T12:00:00Z", 2), [
      "2026-03-08T07:00Z",
      "2026-03-09T06:30Z",
    ]);
    assert.deepEqual(first(cron("30 1 * * *", zone), "2026-10-31T12:00:00Z", 2), [
      "2026-11-01T05:30Z",
      "2026-11-02T06:30Z",
    ]);
  });

  it("that repeats goes on through both, at its pace", () => {
    const zone = "Europe/Berlin";
    assert.deepEqual(first(cron("*/30 * * * *", zone), "2026-03-29T00:15:00Z", 3), [
      "2026-03-29T00:30Z",
      "2026-03-29T01:00Z", // 03:00 there: 02:00 and 02:30 are not
      "2026-03-29T01:30Z",
    ]);
    assert.deepEqual(first(cron("*/30 * * * *", zone), "2026-10-25T00:15:00Z", 4), [
      "2026-10-25T00:30Z",
      "2026-10-25T01:00Z", // 02:00 for the second time
      "2026-10-25T01:30Z",
      "2026-10-25T02:00Z",
    ]);
  });

  // Sydney changes in the other half of the year, Lord Howe by half an hour, Cairo at midnight and not in all of these years.
  for (const zone of ["Europe/Berlin", "Australia/Lord_Howe", "Africa/Cairo", "Asia/Kathmandu"]) {
    it(`that is daily runs once on each day of ten years, at its time wherever that exists: ${zone}`, () => {
      const local = new Intl.DateTimeFormat("en-CA", {
        timeZone: zone,
        dateStyle: "short",
        timeStyle: "short",
        hourCycle: "h23",
      });
      for (const [expression, time] of [
        ["30 2 * * *", "02:30"],
        ["0 0 * * *", "00:00"],
      ] as const) {
        const moments = runs(cron(expression, zone), "2016-01-01T12:00:00Z").take(3650);
        const seen = [...moments].map((moment) => local.format(moment).split(", "));
        assert.equal(new Set(seen.map(([day]) => day)).size, 3650, "no day has two");
        const elsewhere = seen.filter(([, at]) => at !== time).length;
        assert.ok(elsewhere <= (zone === "Asia/Kathmandu" ? 0 : 10), `${elsewhere} days have no ${time}`);
      }
    });
  }
});

describe("a period", () => {
  it("is counted from its beginning, so that no day of the month is lost", () => {
    assert.deepEqual(first(period({ months: 1 }), "2027-10-31T10:30:00Z", 6), [
      "2027-11-30T10:30Z",
      "2027-12-31T10:30Z",
      "2028-01-31T10:30Z",
      "2028-02-29T10:30Z",
      "2028-03-31T10:30Z",
      "2028-04-30T10:30Z",
    ]);
    assert.deepEqual(first(period({ months: 12 }), "2028-02-29T00:00:00Z", 4), [
      "2029-02-28T00:00Z",
      "2030-02-28T00:00Z",
      "2031-02-28T00:00Z",
      "2032-02-29T00:00Z",
    ]);
  });

  it("adds months, then days, then the rest", () => {
    assert.deepEqual(first(period({ months: 1, days: 1, ms: 90_000 }), "2026-01-31T00:00:00Z", 2), [
      "2026-03-01T00:01:30.000Z",
      "2026-04-02T00:03Z",
    ]);
  });

  it("has no gaps and no doubles over years, from wherever one looks", () => {
    const anchor = at("2024-05-31T03:04:05.678Z");
    for (const rule of [
      period({ ms: 3_142 }),
      period({ ms: 5 * 3_600_000 }),
      period({ days: 1 }),
      period({ days: 7, ms: 1 }),
      period({ months: 1 }),
      period({ months: 5, days: 3 }),
      period({ months: 13, ms: 7_777 }),
    ]) {
      const all = runs(rule, "2024-05-31T03:04:05.678Z").take(400).toArray();
      assert.deepEqual(
        all,
        [...new Set(all)].toSorted((a, b) => a - b),
      );
      for (const [index, moment] of all.entries()) {
        const before = all[index - 1] ?? anchor;
        for (const look of [before, before + 1, moment - 1]) assert.equal(nextRun(rule, anchor, look), moment);
      }
    }
  });

  it("that ends beyond all dates has no next run", () => {
    assert.equal(nextRun(period({ months: 12 * 300_000 }), 0, 0), undefined);
  });
});
