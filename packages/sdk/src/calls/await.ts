/** Waits for outputs of a call. */
import {
  DataFormat,
  type FunctionGetOutputsItem,
  GenericResult_GenericStatus as Status,
  GeneratorDoneSchema,
  ModalClient,
} from "@lydian/contract";
import { fromBinary } from "@bufbuild/protobuf";

import type { Client } from "../client/client.ts";
import { OutputExpiredError, TimeoutError } from "../errors.ts";
import { dataOf, valueOf } from "./outcome.ts";

/** How long the platform holds a request for outputs, in seconds, and what more an answer may take, in milliseconds. */
export const holdSeconds = 55;
export const answerMs = 20_000;
/** Results are worth waiting for while the platform is restarted. */
export const longPatienceMs = 120_000;

export interface Awaiting {
  readonly client: Client;
  readonly callId: string;
  readonly index: number;
  /** The call is forgotten once it is answered. */
  readonly isOnly: boolean;
  /** Seconds; absent: for ever. */
  readonly timeout?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The output of one input. */
export async function awaitOutput(asked: Awaiting): Promise<FunctionGetOutputsItem> {
  const { client, callId, index, isOnly, timeout = Number.POSITIVE_INFINITY, signal } = asked;
  const until = Date.now() + timeout * 1000;
  for (;;) {
    const hold = Math.max(0, Math.min(holdSeconds, (until - Date.now()) / 1000));
    const request = {
      functionCallId: callId,
      maxValues: 1,
      timeout: hold,
      lastEntryId: "0-0",
      clearOnSuccess: isOnly,
      requestedAt: Date.now() / 1000,
      startIdx: index,
      endIdx: index,
    };
    const limits = { timeoutMs: hold * 1000 + answerMs, patienceMs: longPatienceMs, signal };
    const { outputs, numUnfinishedInputs } = await client.ask(ModalClient.method.functionGetOutputs, request, limits);
    const [output] = outputs;
    if (output !== undefined) return output;
    if (numUnfinishedInputs === 0) throw new OutputExpiredError(`the result of ${callId} is kept no longer`);
    if (Date.now() >= until)
      throw new TimeoutError(`${callId} has no result after ${timeout} s`, {
        hint: "it goes on; ask for it again later",
      });
  }
}

/** The value of one input; throws what its function threw. */
export async function awaitValue(asked: Awaiting): Promise<unknown> {
  return await valueIn(asked.client, await awaitOutput(asked));
}

/** The value of an output; throws what its function threw. */
export async function valueIn(client: Client, { result, dataFormat }: FunctionGetOutputsItem): Promise<unknown> {
  if (result === undefined) throw new Error("an output has no result");
  return await valueOf(client, result, dataFormat);
}

/** How many items a generator gave in all, once it has given them; throws what it threw. */
export async function awaitItemCount(asked: Awaiting): Promise<number> {
  const { result, dataFormat } = await awaitOutput(asked);
  if (result === undefined) throw new Error(`an output of ${asked.callId} has no result`);
  if (result.status !== Status.SUCCESS) await valueOf(asked.client, result, dataFormat);
  if (dataFormat !== DataFormat.GENERATOR_DONE) throw new Error(`${asked.callId} is no call of a generator`);
  return Number(fromBinary(GeneratorDoneSchema, await dataOf(asked.client, result)).itemsTotal);
}
