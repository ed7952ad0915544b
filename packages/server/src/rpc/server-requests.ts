/** The last requests of a server, as `modal server requests` lists them. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Timestamp, timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import type { ModalClient, ServerRequestInfoSchema } from "@lydian/contract";

import type { PastRequest } from "../domain/statistics.ts";
import { fail } from "../errors.ts";
import { type Rpcs, userOrContainer } from "./adapter-access.ts";
import type { Platform } from "./platform.ts";

/** In one answer. */
const mostRequests = 1_000;

export function serverRequestRpcs({ store, statistics }: Platform): Rpcs<typeof ModalClient> {
  return {
    serverRequestFetch: userOrContainer(async ({ functionId, queryOneof: query }) => {
      await statistics.flush();
      const most = (limit: number): number => Math.min(limit || mostRequests, mostRequests);
      return await store.read(async (tx) => {
        switch (query.case) {
          case "tail":
            return { requests: (await tx.statistics.newestRequests(functionId, most(query.value.count))).map(infoOf) };
          case "range": {
            const span = timesOf(query.value);
            const found = await tx.statistics.requests({ functionIds: [functionId], ...span }, most(query.value.limit));
            return { requests: found.map(infoOf) };
          }
          case undefined:
            throw fail("invalidArgument", "The request says neither how many of the last requests, nor of which time.");
        }
      });
    }),
    serverCountRequests: userOrContainer(async ({ functionId, bucketSecs, ...asked }) => {
      const { since, until } = timesOf(asked);
      const bucketMs = bucketSecs * 1000;
      if (bucketMs === 0) throw fail("invalidArgument", "The request says of how many seconds each count is to be.");
      await statistics.flush();
      const found = await store.read((tx) =>
        tx.statistics.requests({ functionIds: [functionId], since, until }, mostRequests),
      );
      const byBucket = Map.groupBy(found, ({ at }) => Math.floor((at - since) / bucketMs));
      return {
        buckets: [...byBucket].map(([bucket, requests]) => ({
          bucketStartAt: timestampFromMs(since + bucket * bucketMs),
          count: BigInt(requests.length),
        })),
      };
    }),
  };
}

function timesOf({ since, until }: { since?: Timestamp | undefined; until?: Timestamp | undefined }): {
  since: number;
  until: number;
} {
  return { since: since ? timestampMs(since) : 0, until: until ? timestampMs(until) : Number.MAX_SAFE_INTEGER };
}

function infoOf({ route, at, containerId, ms, status }: PastRequest): MessageInitShape<typeof ServerRequestInfoSchema> {
  return { route, timestamp: timestampFromMs(at), containerId, durationSeconds: ms / 1000, status };
}
