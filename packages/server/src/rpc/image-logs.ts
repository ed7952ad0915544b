/** The logs of images that were made, as the clients fetch them afterwards: where they are, and their lines by time. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import {
  type AppCountLogsRequest,
  type AppFetchLogsRequest,
  FileDescriptor,
  type ImageBuildStepSchema,
  type ModalClient,
} from "@lydian/contract";
import { isId } from "@lydian/kit";

import { type Image, isUnderWay } from "../domain/image.ts";
import { fail } from "../errors.ts";
import { ancestorsOf } from "../images/ancestors.ts";
import { countLines, lastLines, type Span } from "../logs/by-time.ts";
import { parseCursor } from "../logs/cursor.ts";
import { type Rpcs, user } from "./adapter-access.ts";
import { findImage } from "./images.ts";
import { descriptors, itemOf } from "./logs.ts";
import type { Platform } from "./platform.ts";

/** Of one answer. */
const mostLines = 20_000;

/** A worker's clock may be ahead by so much, in milliseconds. */
const skewMs = 60_000;

export function imageLogRpcs(platform: Platform): Rpcs<typeof ModalClient> {
  const { store, logBook } = platform;
  return {
    imageBuildChainGet: user(async ({ imageId }) => {
      const chain = await store.read(async (tx) => {
        const image = await findImage(tx, imageId);
        return [...(await ancestorsOf(tx, image)), image];
      });
      return { buildSteps: await Promise.all(chain.map((image) => stepOf(platform, image))) };
    }),
    appFetchLogs: user(async (request) => {
      const span = await spanOf(platform, request);
      const lines = await lastLines(logBook, span, Math.min(request.limit || mostLines, mostLines));
      return { batches: lines.length === 0 ? [] : [{ imageId: request.appId, items: lines.map(itemOf) }] };
    }),
    appCountLogs: user(async (request) => {
      const { appId, bucketSecs } = request;
      if (bucketSecs === 0) throw fail("invalidArgument", "The request does not say into how long spans it counts.");
      const buckets = await countLines(logBook, await spanOf(platform, request), bucketSecs * 1000);
      return {
        appId,
        buckets: buckets.map(({ start, stdout, stderr, system }) => ({
          bucketStartAt: timestampFromMs(start),
          ...{ stdoutLogs: BigInt(stdout), stderrLogs: BigInt(stderr), systemLogs: BigInt(system) },
        })),
      };
    }),
  };
}

/** The present try to make it, or the last one. */
async function stepOf(
  { logBook, clock }: Platform,
  { id, state, since, logFrom }: Image,
): Promise<MessageInitShape<typeof ImageBuildStepSchema>> {
  const [first] = (await logBook.read(id, parseCursor(logFrom), 1)).lines;
  const finishedAt = (isUnderWay(state) ? clock.now() : since) + skewMs;
  return {
    imageId: id,
    startedAt: timestampFromMs(first?.time ?? since),
    finishedAt: timestampFromMs(finishedAt),
    builderAppId: id,
  };
}

async function spanOf({ store }: Platform, request: AppFetchLogsRequest | AppCountLogsRequest): Promise<Span> {
  const { appId: id, since, until, source, searchText } = request;
  if (!isId("im", id)) {
    throw fail("unimplemented", "The log of an app cannot be read by time in this version of Lydian.", {
      hint: "Follow it: `modal app logs --follow`",
    });
  }
  const { logFrom } = await store.read((tx) => findImage(tx, id));
  return {
    logId: id,
    from: parseCursor(logFrom),
    since: since === undefined ? 0 : timestampMs(since),
    until: until === undefined ? Number.POSITIVE_INFINITY : timestampMs(until),
    isWanted: ({ stream, text }) =>
      (source === FileDescriptor.UNSPECIFIED || descriptors[stream] === source) && text.includes(searchText),
  };
}
