/** Logs of apps and images by time: the last lines of a span, and how many there are in each part of it. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import {
  type AppCountLogsRequest,
  type AppFetchLogsRequest,
  FileDescriptor,
  type ModalClient,
  type TaskLogsBatchSchema,
} from "@lydian/contract";
import { isId } from "@lydian/kit";

import { fail } from "../errors.ts";
import { countLines, lastLines, type Span } from "../logs/by-time.ts";
import { formatCursor, parseCursor } from "../logs/cursor.ts";
import { type LogLine, logStart } from "../logs/log-book.ts";
import { type Rpcs, user } from "./adapter-access.ts";
import { findImage } from "./images.ts";
import { descriptors, functionsAsked, itemOf } from "./logs.ts";
import type { Platform } from "./platform.ts";

/** Of one answer. */
const mostLines = 20_000;

export function logsByTimeRpcs(platform: Platform): Rpcs<typeof ModalClient> {
  const { logBook } = platform;
  return {
    appFetchLogs: user(async (request) => {
      const span = await spanOf(platform, request);
      const { lines, next } = await lastLines(logBook, span, Math.min(request.limit || mostLines, mostLines));
      const ofImage = isId("im", request.appId);
      const batches = ofImage ? [{ imageId: request.appId, items: lines.map(itemOf) }] : [...byContainer(lines)];
      // Whoever goes on with what comes begins there; without a line there is a batch for that alone.
      return { batches: [...batches.slice(0, -1), { ...batches.at(-1), entryId: formatCursor(next) }] };
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

/** A batch is about one container, so neighbouring lines of one go together. */
function* byContainer(lines: readonly LogLine[]): Iterable<MessageInitShape<typeof TaskLogsBatchSchema>> {
  let from = 0;
  for (let at = 1; at <= lines.length; at++) {
    const first = lines[from];
    const next = lines[at];
    if (first === undefined) return;
    if (next?.containerId === first.containerId && next.functionId === first.functionId) continue;
    yield { taskId: first.containerId, functionId: first.functionId, items: lines.slice(from, at).map(itemOf) };
    from = at;
  }
}

async function spanOf({ store }: Platform, request: AppFetchLogsRequest | AppCountLogsRequest): Promise<Span> {
  const { appId: id, source, searchText, taskId, functionCallId } = request;
  const since = request.since === undefined ? 0 : timestampMs(request.since);
  const until = request.until === undefined ? Number.POSITIVE_INFINITY : timestampMs(request.until);
  const isImage = isId("im", id);
  const { from, functions } = await store.read(async (tx) => ({
    from: isImage ? parseCursor((await findImage(tx, id)).logFrom) : logStart,
    functions: isImage ? undefined : await functionsAsked(tx, request),
  }));
  const isWanted = ({ stream, text, containerId, functionId, callId }: LogLine): boolean =>
    (source === FileDescriptor.UNSPECIFIED || descriptors[stream] === source) &&
    (taskId === "" || containerId === taskId) &&
    (functionCallId === "" || callId === functionCallId) &&
    (functions === undefined || functions.has(functionId)) &&
    text.includes(searchText);
  return { logId: id, from, since, until, has: [searchText, taskId, functionCallId], isWanted };
}
