/** The items of a generator as they come, and how it ended. */
import { type DataChunk, ModalClient } from "@lydian/contract";

import { ConnectionError } from "../errors.ts";
import { getBlob } from "../values/payload.ts";
import { type Awaiting, awaitItemCount, longPatienceMs } from "./await.ts";
import { decodeData } from "./outcome.ts";

/** A stream that is held for longer than the platform holds it. */
const streamMs = 75_000;
const reopenMs = 200;

/** Until all items are there that the end names. Throws what the generator threw as soon as that is known. */
export async function* items(asked: Awaiting): AsyncGenerator<unknown, void> {
  const { client, callId } = asked;
  const reading = new AbortController();
  const signal = AbortSignal.any([reading.signal, ...(asked.signal ? [asked.signal] : [])]);
  const known: { total: number; failure?: { error: unknown } } = { total: Number.POSITIVE_INFINITY };
  let last = 0n;
  // The end comes by another way than the items, and may overtake the last ones.
  const ended = awaitItemCount({ ...asked, signal }).then(
    (count) => {
      known.total = count;
      if (last >= count) reading.abort();
    },
    (error: unknown) => {
      known.failure = { error };
      reading.abort();
    },
  );
  let lostAt: number | undefined;
  try {
    while (last < known.total && known.failure === undefined) {
      try {
        const request = { callInfo: { case: "functionCallId" as const, value: callId }, lastIndex: last };
        for await (const chunk of client.follow(ModalClient.method.functionCallGetDataOut, request, {
          timeoutMs: streamMs,
          signal,
        })) {
          lostAt = undefined;
          if (chunk.index <= last) continue;
          last = chunk.index;
          yield decodeData(await chunkData(chunk, asked), chunk.dataFormat);
          if (last >= known.total) break;
        }
      } catch (error) {
        if (reading.signal.aborted) break;
        lostAt ??= Date.now();
        if (!(error instanceof ConnectionError) || Date.now() - lostAt > longPatienceMs) throw error;
        await new Promise((resolve) => setTimeout(resolve, reopenMs));
      }
    }
    asked.signal?.throwIfAborted();
    await ended;
    if (known.failure !== undefined) throw known.failure.error;
  } finally {
    reading.abort();
  }
}

async function chunkData({ dataOneof }: DataChunk, { client }: Awaiting): Promise<Uint8Array> {
  if (dataOneof.case === "dataBlobId") return await getBlob(client, dataOneof.value);
  return dataOneof.value ?? new Uint8Array();
}
