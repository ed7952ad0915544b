/** What was called, and the variants of what can be called, as `modal function calls` and `modal function variants` list them. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Timestamp, timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import {
  FunctionCallInputStatus as Status,
  type FunctionCallInputInfoSchema,
  GenericResult_GenericStatus as Result,
  type ModalClient,
} from "@lydian/contract";

import type { HistoryEntry } from "../domain/call-history.ts";
import type { Tx } from "../domain/store.ts";
import { fail } from "../errors.ts";
import { listVariants, variantInfo, withVariants } from "../functions/variants.ts";
import { type Rpcs, userOrContainer } from "./adapter-access.ts";
import type { Platform } from "./platform.ts";

/** Inputs in one answer. */
const mostEntries = 10_000;

export function callHistoryRpcs({ store, statistics }: Platform): Rpcs<typeof ModalClient> {
  return {
    functionCallFetch: userOrContainer(async ({ functionId, allVariants, queryOneof: query }) => {
      await statistics.flush();
      return await store.read(async (tx) => {
        const functionIds = await idsOf(tx, functionId, allVariants);
        const most = (limit: number): number => Math.min(limit || mostEntries, mostEntries);
        switch (query.case) {
          case "tail":
            return infos(await tx.callHistory.newest(functionIds, most(query.value.count)));
          case "range": {
            const { since, until, limit } = query.value;
            return infos(await tx.callHistory.between({ functionIds, ...spanOf(since, until) }, most(limit)));
          }
          case undefined:
            throw fail("invalidArgument", "The request says neither how many of the last inputs, nor of which time.");
        }
      });
    }),
    functionCallCount: userOrContainer(async ({ functionId, allVariants, since, until, bucketSecs }) => {
      await statistics.flush();
      return await store.read(async (tx) => {
        const functionIds = await idsOf(tx, functionId, allVariants);
        const span = { functionIds, ...spanOf(since, until) };
        const bucketMs = bucketSecs * 1000;
        if (bucketMs === 0) throw fail("invalidArgument", "The request says of how many seconds each count is to be.");
        const buckets = await tx.callHistory.counts(span, bucketMs);
        return {
          buckets: buckets.map(({ bucket, inputs }) => ({
            bucketStartAt: timestampFromMs(span.since + bucket * bucketMs),
            count: BigInt(inputs),
          })),
        };
      });
    }),
    functionListVariants: userOrContainer(({ functionId, limit }) =>
      store.read(async (tx) => {
        const variants = await listVariants(tx, functionId, limit || undefined);
        return { infos: variants.map(variantInfo), orderedByTaskCount: limit > 0 };
      }),
    ),
  };
}

async function idsOf(tx: Tx, functionId: string, allVariants: boolean): Promise<string[]> {
  const records = await withVariants(tx, functionId);
  return (allVariants ? records : records.slice(0, 1)).map(({ id }) => id);
}

function spanOf(since: Timestamp | undefined, until: Timestamp | undefined): { since: number; until: number } {
  return {
    since: since === undefined ? 0 : timestampMs(since),
    until: until === undefined ? Number.MAX_SAFE_INTEGER : timestampMs(until),
  };
}

type Info = MessageInitShape<typeof FunctionCallInputInfoSchema>;

function infos(entries: readonly HistoryEntry[]): { functionCallInputs: Info[] } {
  return { functionCallInputs: entries.map(infoOf) };
}

function infoOf(entry: HistoryEntry): Info {
  const { callId, method, queuedAt, startedAt, endedAt, containerId } = entry;
  return {
    functionCallId: callId,
    enqueuedAt: timestampFromMs(queuedAt),
    status: statusOf(entry),
    ...(method !== "" && { serviceMethodName: method }),
    ...(startedAt !== undefined && { startedAt: timestampFromMs(startedAt) }),
    ...(containerId !== undefined && { containerId }),
    ...(startedAt !== undefined &&
      endedAt !== undefined && { executionTimeSeconds: Math.max(0, endedAt - startedAt) / 1000 }),
  };
}

const endings: Readonly<Partial<Record<number, Status>>> = {
  [Result.SUCCESS]: Status.SUCCESS,
  [Result.FAILURE]: Status.FAILURE,
  [Result.TIMEOUT]: Status.TIMEOUT,
  [Result.TERMINATED]: Status.TERMINATED,
  [Result.INIT_FAILURE]: Status.INIT_FAILURE,
  [Result.INTERNAL_FAILURE]: Status.INTERNAL_FAILURE,
  [Result.IDLE_TIMEOUT]: Status.IDLE_TIMEOUT,
};

/** The tag of a GenericResult's first field, an enum of fewer than 128 values. */
const statusTag = 0x08;

const outcomes = {
  ...{ success: Status.SUCCESS, failure: Status.FAILURE, timeout: Status.TIMEOUT },
  ...{ terminated: Status.TERMINATED, initFailure: Status.INIT_FAILURE },
};

function statusOf({ state, resultHead, outcome }: HistoryEntry): Status {
  if (state !== "ended") return state === "runs" ? Status.RUNNING : Status.PENDING;
  if (outcome !== undefined) return outcomes[outcome];
  const [tag, value = 0] = resultHead ?? [];
  return (tag === statusTag ? endings[value] : undefined) ?? Status.UNSPECIFIED;
}
