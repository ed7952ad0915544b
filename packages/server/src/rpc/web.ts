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
import { decodeMessage } from "../web/asgi.ts";
import type { Exchange } from "../web/exchange.ts";
import { largeMessage } from "../web/large-message.ts";
import { type ContainerCaller, type Rpcs, container } from "./adapter-access.ts";
import type { Call } from "./adapter-call.ts";
import { callIdOf, chunkOf } from "./data-stream.ts";
import type { Platform } from "./platform.ts";

export function webRpcs(platform: Platform): Rpcs<typeof ModalClient> {
  const { store, web, content } = platform;
  return {
    functionCallGetDataIn: container((request, call) => dataIn(platform, request, call)),
    functionCallPutDataOut: container(async ({ callInfo, dataChunks }: FunctionCallPutDataRequest, { caller }) => {
      const callId = callIdOf(callInfo);
      const chunks = dataChunks.map(chunkOf);
      const exchange = web.find(callId);
      if (exchange === undefined) {
        if (chunks.some(isOfSocket)) await web.endLate(callId, caller.id);
        else await store.write((tx) => giveData(tx, caller.id, callId, chunks));
      } else {
        await takeHold(platform, exchange, caller.id);
        await exchange.hear(chunks, (blobId) => largeMessage({ store, content }, blobId));
      }
      return {};
    }),
  };
}

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
  const { web, clock, config } = platform;
  const exchange = web.find(callIdOf(callInfo));
  if (exchange === undefined) return await sleep(clock, config.times.claimHold, signal);
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
