/** What a call's code gives while it runs, as a stream: what is there, then what comes, until the time is up. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { DataChunk, DataChunkSchema, FunctionCallGetDataRequest } from "@lydian/contract";

import { knownCall } from "../calls/known.ts";
import { dataBell } from "../domain/bells.ts";
import type { Chunk } from "../domain/chunk.ts";
import { fail } from "../errors.ts";
import type { Platform } from "./platform.ts";

/** Read from the store at a time, in bytes. */
const portionBytes = 4 * 1024 * 1024;

/** Ends only when its time is up: the clients open it again at once, and stop by themselves when they have all. */
export async function* streamData(
  { store, bells, clock, config }: Platform,
  { callInfo, lastIndex }: FunctionCallGetDataRequest,
  signal: AbortSignal,
): AsyncIterable<MessageInitShape<typeof DataChunkSchema>> {
  const callId = callIdOf(callInfo);
  const deadline = clock.now() + config.times.claimHold;
  let after = Number(lastIndex);
  const look = async (): Promise<Chunk[] | undefined> => {
    const chunks = await store.read(async (tx) => {
      await knownCall(tx, callId);
      return await tx.chunks.after(callId, after, portionBytes);
    });
    return chunks.length > 0 ? chunks : undefined;
  };
  for (;;) {
    const waitMs = Math.max(0, deadline - clock.now());
    const chunks = await bells.until([dataBell(callId)], look, { clock, waitMs, signal });
    if (chunks === undefined) return;
    for (const chunk of chunks) yield toWire(chunk);
    after = chunks.at(-1)?.index ?? after;
  }
}

export function callIdOf(callInfo: FunctionCallGetDataRequest["callInfo"]): string {
  if (callInfo.case === "functionCallId") return callInfo.value;
  throw fail("invalidArgument", "The request names no function call.");
}

export function chunkOf({ index, dataFormat, dataOneof }: DataChunk): Chunk {
  const data = dataOneof.case === "dataBlobId" ? { blobId: dataOneof.value } : (dataOneof.value ?? new Uint8Array());
  return { index: Number(index), dataFormat, data };
}

function toWire({ index, dataFormat, data }: Chunk): MessageInitShape<typeof DataChunkSchema> {
  const dataOneof =
    data instanceof Uint8Array
      ? { case: "data" as const, value: data }
      : { case: "dataBlobId" as const, value: data.blobId };
  return { index: BigInt(index), dataFormat, dataOneof };
}
