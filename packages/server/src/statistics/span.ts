/** Which time a question about the past is about, and in which steps. Pure. */
import { minute } from "../domain/statistics.ts";
import { fail } from "../errors.ts";

/** In milliseconds since the epoch. */
export interface Span {
  since: number;
  until: number;
}

const dayMs = 86_400_000;
const lastHourMs = 3_600_000;

/** The last hour unless it is said; throws where it ends before it begins, or is longer than so many days. */
export function spanOf(since: number | undefined, until: number | undefined, now: number, mostDays: number): Span {
  const end = until ?? now;
  const span = { since: since ?? end - lastHourMs, until: end };
  if (span.since >= span.until) throw fail("invalidArgument", "The time that is asked for ends before it begins.");
  if (span.until - span.since > mostDays * dayMs) {
    throw fail("invalidArgument", `The time that is asked for is longer than ${mostDays} days.`);
  }
  return span;
}

/** A span cut into buckets of one width, from a multiple of it to another. */
export interface Buckets extends Span {
  widthMs: number;
  count: number;
}

/** In seconds; those that the clients name. */
const widths = [1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60, 120, 180, 240, 480, 720, 1440].map((minutes) => minutes * 60);
const mostBuckets = 500;
const wishedBuckets = 100;

/** About a hundred of them, unless the width is said. */
export function bucketsOf({ since, until }: Span, seconds: number | undefined): Buckets {
  if (seconds !== undefined && !widths.includes(seconds)) {
    throw fail("invalidArgument", `Buckets of ${seconds} seconds are not there.`, {
      hint: `Choose one of these widths, in minutes: ${widths.map((width) => width / 60).join(", ")}`,
    });
  }
  const fitting = widths.find((width) => (until - since) / 1000 / width <= wishedBuckets);
  const widthMs = (seconds ?? fitting ?? 86_400) * 1000;
  const [from, to] = [since - (since % widthMs), until - (until % widthMs)];
  const count = (to - from) / widthMs;
  if (count > mostBuckets) {
    throw fail("invalidArgument", `${count} buckets are more than ${mostBuckets}.`, { hint: "Choose a larger width" });
  }
  return { since: from, until: to, widthMs, count };
}

/** What is counted by the minute is counted from its minute on. */
export const minuteOf = (ms: number): number => ms - (ms % minute);
