/** What functions did in a span of time, put together from what was counted. */
import type { Tally } from "../domain/tally.ts";
import { add, emptyTally } from "../domain/tally.ts";
import type { Tx } from "../domain/store.ts";
import { minuteOf, type Buckets, type Span } from "./span.ts";

export interface Whose {
  functionIds: readonly string[];
  /** Of one of their containers alone. */
  containerId?: string | undefined;
}

export interface Past {
  tally: Tally;
  containers: { total: number; creating: number };
}

/** Of the minutes that the span touches at its begin, up to its end. */
export async function pastOf(tx: Tx, whose: Whose, { since, until }: Span): Promise<Past> {
  const spans = await tx.statistics.during({ ...whose, since: minuteOf(since), until });
  const tally = spans.reduce((sum, each) => add(sum, each.tally), emptyTally());
  return { tally, containers: await tx.containers.during({ ...whose, since, until }) };
}

/** One tally for each bucket. */
export async function pastByBuckets(tx: Tx, whose: Whose, buckets: Buckets): Promise<Tally[]> {
  const tallies = Array.from({ length: buckets.count }, emptyTally);
  for (const { key, tally } of await tx.statistics.during({ ...whose, ...buckets })) {
    const bucket = tallies[Math.floor((key.from - buckets.since) / buckets.widthMs)];
    if (bucket !== undefined) add(bucket, tally);
  }
  return tallies;
}
