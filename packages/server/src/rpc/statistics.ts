/** What has been, as `modal app stats`, `modal function stats` and `modal server stats` show it. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Timestamp, timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import type {
  AppContainerCountsSchema,
  AppFunctionCountsSchema,
  AppServerCountsSchema,
  ModalClient,
  StatsPercentileDistributionSchema,
} from "@lydian/contract";

import { knownApp } from "../apps/known.ts";
import type { FunctionRecord } from "../domain/function.ts";
import type { Tx } from "../domain/store.ts";
import type { Sketch } from "../domain/tally.ts";
import { decodeDefinition } from "../functions/definition.ts";
import { withVariants } from "../functions/variants.ts";
import { type Past, pastOf, type Whose } from "../statistics/past.ts";
import { cores, gibibytes, quantileIn, seconds, type Unit } from "../statistics/series.ts";
import { type Span, spanOf } from "../statistics/span.ts";
import { type Rpcs, userOrContainer } from "./adapter-access.ts";
import { lifecycleOf } from "./app-lookups.ts";
import type { Platform } from "./platform.ts";

const mostDays = 7;
/** Of an app, that are looked through for those of the time. */
const mostVersions = 1_000;

export function statisticsRpcs(platform: Platform): Rpcs<typeof ModalClient> {
  const { clock } = platform;
  const spanIn = ({ since, until }: { since?: Timestamp | undefined; until?: Timestamp | undefined }): Span =>
    spanOf(since && timestampMs(since), until && timestampMs(until), clock.now(), mostDays);
  const read = async <T>(unit: (tx: Tx) => Promise<T>): Promise<T> => {
    await platform.statistics.flush();
    return await platform.store.read(unit);
  };
  return {
    functionGetTimeRangeStats: userOrContainer((request) => {
      const span = spanIn(request);
      const { functionId, containerId, rollup } = request;
      return read(async (tx) => {
        const [own, ...variants] = await withVariants(tx, functionId);
        const counted = rollup && containerId === undefined ? [own, ...variants] : [own];
        const whose = { functionIds: counted.map((record) => record?.id ?? functionId), containerId };
        const { tally, containers } = await pastOf(tx, whose, span);
        return {
          ...timesOf(span),
          inputSuccessCount: BigInt(tally.succeeded),
          inputFailureCount: BigInt(tally.failed + tally.cancelled),
          inputTimeoutCount: BigInt(tally.timedOut),
          inputRunningAtEndCount: BigInt(await running(platform, tx, whose, span.until)),
          inputPercentileStats: distributions([
            ["Execution time (s)", tally.ran, seconds],
            ["End-to-end latency (s)", tally.took, seconds],
          ]),
          ...containersOf({ tally, containers }, ["CPU Usage (cores)", "Memory Usage (GiB)"]),
          variantCount: rollup ? variants.length : 0,
        };
      });
    }),
    serverGetTimeRangeStats: userOrContainer((request) => {
      const span = spanIn(request);
      const { functionId, containerId } = request;
      return read(async (tx) => {
        const past = await pastOf(tx, { functionIds: [functionId], containerId }, span);
        const { statuses, answered } = past.tally;
        const total = sum(Object.values(statuses));
        return {
          ...timesOf(span),
          requestCount: BigInt(total),
          requestCountByStatusCode: Object.entries(statuses).map(([status, count]) => ({
            statusCode: Number(status),
            count: BigInt(count),
          })),
          requestRatePerSecond: total / ((span.until - span.since) / 1000),
          requestPercentileStats: distributions([["Latency (s)", answered, seconds]]),
          ...containersOf(past, ["CPU usage (cores)", "Memory usage (GiB)"]),
        };
      });
    }),
    appGetTimeRangeStats: userOrContainer((request) => {
      const span = spanIn(request);
      return read(async (tx) => {
        const app = await knownApp(tx, request.appId);
        const records = (await tx.functions.ofApp(app.id)).filter(({ binding }) => binding === undefined);
        const pasts = await Promise.all(records.map((record) => withPast(tx, record, span)));
        const isServer = ({ record }: OfFunction): boolean => decodeDefinition(record).isServer;
        const versions = await tx.deployments.ofApp(app.id, mostVersions);
        return {
          ...timesOf(span),
          functions: group(
            pasts.filter((each) => !isServer(each)),
            functionCounts,
          ),
          servers: group(pasts.filter(isServer), serverCounts),
          sandboxes: {},
          lifecycle: lifecycleOf(app),
          deploymentCount: BigInt(
            versions.filter(({ deployedAt }) => deployedAt >= span.since && deployedAt < span.until).length,
          ),
        };
      });
    }),
  };
}

interface OfFunction {
  record: FunctionRecord;
  past: Past;
}

/** With its variants. */
async function withPast(tx: Tx, record: FunctionRecord, span: Span): Promise<OfFunction> {
  const functionIds = (await withVariants(tx, record.id)).map(({ id }) => id);
  return { record, past: await pastOf(tx, { functionIds }, span) };
}

/** What the containers have in the store, and what stands in no database. */
async function running({ desks, straight, clock }: Platform, tx: Tx, whose: Whose, at: number): Promise<number> {
  const { functionIds, containerId } = whose;
  const inStore = await tx.callHistory.running(functionIds, at, containerId);
  if (at < clock.now() - 1000) return inStore;
  const loads = [...desks.loads(), ...straight.loads()].filter(
    (load) => functionIds.includes(load.functionId) && (containerId ?? load.containerId) === load.containerId,
  );
  return inStore + sum(loads.map(({ requests }) => requests));
}

function timesOf({ since, until }: Span): { since: Timestamp; until: Timestamp } {
  return { since: timestampFromMs(since), until: timestampFromMs(until) };
}

/** The client orders what it shows by the names that it knows, which it spells in two ways. */
function containersOf({ tally, containers }: Past, [cpu, memory]: readonly [string, string]) {
  return {
    containerStartedCount: BigInt(tally.started),
    containerErrorCount: BigInt(tally.errors),
    containerCreatingAtEndCount: BigInt(containers.creating),
    containerTotalCount: BigInt(containers.total),
    containerPercentileStats: distributions([
      ["Startup time (s)", tally.startup, seconds],
      [cpu, tally.cpu, cores],
      [memory, tally.memory, gibibytes],
    ]),
  };
}

/** In hundredths of a per cent. */
const percentiles = [5_000, 9_000, 9_500, 9_900];

function distributions(
  sketches: readonly (readonly [name: string, sketch: Sketch, unit: Unit])[],
): Record<string, MessageInitShape<typeof StatsPercentileDistributionSchema>> {
  const seen = sketches.filter(([, sketch]) => Object.keys(sketch).length > 0);
  return Object.fromEntries(
    seen.map(([name, sketch, unit]) => {
      const values = percentiles.map((percentile) => ({
        percentileBasisPoints: percentile,
        value: quantileIn(sketch, percentile / 10_000, unit) ?? 0,
      }));
      return [name, { unit: unit.name, percentiles: values }];
    }),
  );
}

/** The sum, and each by its name. */
function group<Counts>(pasts: readonly OfFunction[], counts: (pasts: readonly Past[]) => Counts) {
  return {
    total: counts(pasts.map(({ past }) => past)),
    byName: Object.fromEntries(
      pasts.map(({ record, past }) => [record.name, { objectId: record.id, counts: counts([past]) }]),
    ),
  };
}

function functionCounts(pasts: readonly Past[]): MessageInitShape<typeof AppFunctionCountsSchema> {
  const succeeded = sum(pasts.map(({ tally }) => tally.succeeded));
  const failed = sum(pasts.map(({ tally }) => tally.failed + tally.timedOut + tally.cancelled));
  const calls = { total: BigInt(succeeded + failed), succeeded: BigInt(succeeded), failed: BigInt(failed) };
  return { calls, containers: containerCounts(pasts) };
}

function serverCounts(pasts: readonly Past[]): MessageInitShape<typeof AppServerCountsSchema> {
  const answers = pasts.flatMap(({ tally }) => Object.entries(tally.statuses));
  const total = sum(answers.map(([, count]) => count));
  const ok = sum(answers.map(([status, count]) => (Number(status) >= 100 && Number(status) < 400 ? count : 0)));
  const requests = { total: BigInt(total), ok: BigInt(ok), failed: BigInt(total - ok) };
  return { requests, containers: containerCounts(pasts) };
}

function containerCounts(pasts: readonly Past[]): MessageInitShape<typeof AppContainerCountsSchema> {
  return {
    containerErrors: BigInt(sum(pasts.map(({ tally }) => tally.errors))),
    containerActiveCount: BigInt(sum(pasts.map(({ containers }) => containers.total))),
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
