/** The container's side of web requests: what the caller says, as a stream of chunks, and what is answered. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type DataChunkSchema,
  DataFormat,
  type FunctionCallGetDataRequest,
  type FunctionCallPutDataRequest,
  type ModalClient,
} from "@lydian/contract";
import { sleep } from "@lydian/kit";

import { giveData } from "../calls/give-data.ts";
import type { Chunk } from "../domain/chunk.ts";
import { fail } from "../errors.ts";
import { decodeMessage, encodeMessage } from "../web/asgi.ts";
import type { Exchange } from "../web/exchange.ts";
import { largeMessage } from "../web/large-message.ts";
import { type ContainerCaller, type Rpcs, container } from "./adapter-access.ts";
import type { Call } from "./adapter-call.ts";
import { callIdOf, chunkOf } from "./data-stream.ts";
import type { Platform } from "./platform.ts";

export function webRpcs(platform: Platform): Rpcs<typeof ModalClient> {
  const { store, web, desks, content } = platform;
  return {
    functionCallGetDataIn: container((request, call) => dataIn(platform, request, call)),
    functionCallPutDataOut: container(async ({ callInfo, dataChunks }: FunctionCallPutDataRequest, { caller }) => {
      const callId = callIdOf(callInfo);
      const chunks = dataChunks.map(chunkOf);
      const exchange = web.find(callId);
      if (exchange === undefined) {
        if (chunks.some(isOfSocket)) {
          if (!desks.stop(caller.id, callId)) await web.endLate(callId, caller.id);
        } else if (!desks.has(caller.id, callId)) await store.write((tx) => giveData(tx, caller.id, callId, chunks));
      } else {
        await takeHold(platform, exchange, caller.id);
        await exchange.hear(chunks, (blobId) => largeMessage({ store, content }, blobId));
      }
      return {};
    }),
  };
}

const gone = encodeMessage({ case: "httpDisconnect", value: {} });

/** A frame for a web socket. */
function isOfSocket({ dataFormat, data }: Chunk): boolean {
  return dataFormat === DataFormat.ASGI && data instanceof Uint8Array && decodeMessage(data).case === "websocketSend";
}

/** Ends only when its time is up, as the clients open it again at once; of a request that is over there is nothing more. */
async function* dataIn(
  platform: Platform,
  { callInfo, lastIndex }: FunctionCallGetDataRequest,
  { caller, signal }: Call<ContainerCaller>,
): AsyncIterable<MessageInitShape<typeof DataChunkSchema>> {
  const { store, web, clock, config } = platform;
  const callId = callIdOf(callInfo);
  const exchange = web.find(callId);
  if (exchange === undefined) {
    // One that was in no database, and whose caller is gone; perhaps with the server before this one.
    const isKnown = (await store.read((tx) => tx.calls.get(callId))) !== undefined;
    if (!isKnown)
      yield { index: lastIndex + 1n, dataFormat: DataFormat.ASGI, dataOneof: { case: "data", value: gone } };
    return await sleep(clock, config.times.claimHold, signal);
  }
  await takeHold(platform, exchange, caller.id);
  for await (const { index, data: value } of exchange.listen(Number(lastIndex), signal)) {
    yield { index: BigInt(index), dataFormat: DataFormat.ASGI, dataOneof: { case: "data", value } };
  }
}

/** Only the container that has claimed the request sees it and answers it; no other one ever claims it. */
async function takeHold({ store }: Platform, exchange: Exchange, containerId: string): Promise<void> {
  if (exchange.holder === containerId) return;
  const [input] = await store.read((tx) => tx.inputs.ofCall(exchange.callId, 1));
  if (input?.state !== "claimed" || input.containerId !== containerId) {
    throw fail("permissionDenied", `Container ${containerId} does not have request ${exchange.callId}.`);
  }
  exchange.holder = containerId;
}
