/** Opens calls, and sends inputs to them. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  DataFormat,
  type FunctionInputSchema,
  FunctionCallInvocationType as Invocation,
  FunctionCallType as Shape,
  ModalClient,
} from "@lydian/contract";

import { encodeArguments } from "../values/arguments.ts";
import { storePayload } from "../values/payload.ts";
import { currentInputId } from "./context.ts";
import type { Target } from "./target.ts";

/** Whether somebody waits for the result. */
export type Waits = "sync" | "async";

export type Input = MessageInitShape<typeof FunctionInputSchema>;

export async function inputOf({ client, method }: Target, args: readonly unknown[], waits: Waits): Promise<Input> {
  const payload = await storePayload(client, encodeArguments(args), waits);
  return {
    argsOneof:
      payload.case === "data" ? { case: "args", value: payload.value } : { case: "argsBlobId", value: payload.value },
    dataFormat: DataFormat.CBOR,
    ...(method !== undefined && { methodName: method }),
  };
}

export interface OpenCall {
  readonly callId: string;
  /** So many inputs may be without an output at a time. */
  readonly mostOutstanding: number;
}

/** A call of one input, which goes along. */
export async function callOnce(
  target: Target,
  args: readonly unknown[],
  waits: Waits,
  signal?: AbortSignal,
): Promise<OpenCall> {
  const input = await inputOf(target, args, waits);
  return await open(target, {
    shape: Shape.UNARY,
    waits,
    pipelined: [{ idx: 0, input }],
    returnExceptions: false,
    signal,
  });
}

/** A call of many inputs, which follow. */
export async function callMany(
  target: Target,
  waits: Waits,
  returnExceptions: boolean,
  signal?: AbortSignal,
): Promise<OpenCall> {
  return await open(target, { shape: Shape.MAP, waits, pipelined: [], returnExceptions, signal });
}

async function open(
  { client, functionId }: Target,
  asked: {
    shape: Shape;
    waits: Waits;
    pipelined: { idx: number; input: Input }[];
    returnExceptions: boolean;
    signal: AbortSignal | undefined;
  },
): Promise<OpenCall> {
  const { shape, waits, pipelined, returnExceptions, signal } = asked;
  const request = {
    functionId,
    parentInputId: currentInputId() ?? "",
    functionCallType: shape,
    functionCallInvocationType: waits === "sync" ? Invocation.SYNC : Invocation.ASYNC,
    pipelinedInputs: pipelined,
    returnExceptions,
  };
  const reply = await client.ask(ModalClient.method.functionMap, request, { signal });
  return { callId: reply.functionCallId, mostOutstanding: reply.maxInputsOutstanding || 1000 };
}

/** Cancels what of a call has not finished. */
export async function cancel(
  { client }: Pick<Target, "client">,
  callId: string,
  terminateContainers = false,
): Promise<void> {
  await client.ask(ModalClient.method.functionCallCancel, { functionCallId: callId, terminateContainers });
}
