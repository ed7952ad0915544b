/** Series of points, as `modal function metrics` and `modal server metrics` export them. */
import { type Timestamp, timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { MetricsGetInfoRequest_MetricsTargetType as Target, type ModalClient } from "@lydian/contract";

import { fail } from "../errors.ts";
import { withVariants } from "../functions/variants.ts";
import { pastByBuckets } from "../statistics/past.ts";
import { groupsOf, notMeasured, type SeriesGroup } from "../statistics/series.ts";
import { type Buckets, bucketsOf, spanOf } from "../statistics/span.ts";
import { type Rpcs, userOrContainer } from "./adapter-access.ts";
import type { Platform } from "./platform.ts";

const mostDays = 31;

type Kind = keyof typeof groupsOf;

interface Asked {
  since?: Timestamp | undefined;
  until?: Timestamp | undefined;
  bucketSecs?: number | undefined;
}

export function metricRpcs({ store, statistics, clock }: Platform): Rpcs<typeof ModalClient> {
  const bucketsIn = ({ since, until, bucketSecs }: Asked): Buckets =>
    bucketsOf(spanOf(since && timestampMs(since), until && timestampMs(until), clock.now(), mostDays), bucketSecs);
  const series = async (kind: Kind, asked: Asked & { groups: readonly string[] }, functionIds: readonly string[]) => {
    const buckets = bucketsIn(asked);
    const groups = chosen(kind, asked.groups);
    await statistics.flush();
    const tallies = await store.read((tx) => pastByBuckets(tx, { functionIds }, buckets));
    const timestamps = tallies.map((_, at) => timestampFromMs(buckets.since + at * buckets.widthMs));
    return {
      since: timestampFromMs(buckets.since),
      until: timestampFromMs(buckets.until),
      bucketSecs: buckets.widthMs / 1000,
      series: groups
        .flatMap(({ rows }) => rows.flatMap((row) => row.series))
        .map(({ name, unit, description, value }) => ({
          ...{ name, unit, description },
          points: tallies.map((tally, at) => withValue(timestamps[at], value(tally))),
        })),
    };
  };
  return {
    metricsGetInfo: userOrContainer(async (request) => {
      const { count, widthMs } = bucketsIn(request);
      const groups = chosen(request.targetType === Target.SERVER ? "server" : "function", request.groups);
      return {
        groups: groups.flatMap(({ name, rows }) =>
          rows.map(({ displayName, description, series: metrics }) => ({
            ...{ name, displayName, description },
            metrics: metrics.map((each) => ({ name: each.name, unit: each.unit, description: each.description })),
          })),
        ),
        bucketSecs: widthMs / 1000,
        bucketCount: count,
      };
    }),
    functionGetMetrics: userOrContainer(async (request) => {
      const records = await store.read((tx) => withVariants(tx, request.functionId));
      const counted = request.rollup ? records : records.slice(0, 1);
      return await series(
        "function",
        request,
        counted.map(({ id }) => id),
      );
    }),
    serverGetMetrics: userOrContainer((request) => series("server", request, [request.functionId])),
  };
}

function chosen(kind: Kind, names: readonly string[]): readonly SeriesGroup[] {
  const groups = groupsOf[kind];
  for (const name of names) {
    if (groups.some((group) => group.name === name)) continue;
    const why = notMeasured.includes(name) ? `"${name}" is not measured here` : `There is no group "${name}"`;
    throw fail("invalidArgument", `${why}.`, { hint: `Ask for ${groups.map((group) => group.name).join(" or ")}` });
  }
  return names.length === 0 ? groups : groups.filter(({ name }) => names.includes(name));
}

function withValue(timestamp: Timestamp | undefined, value: number | undefined) {
  return { ...(timestamp && { timestamp }), ...(value !== undefined && { value }) };
}
