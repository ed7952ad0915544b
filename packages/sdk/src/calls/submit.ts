/** Opens calls, and sends inputs to them. */
import { randomUUID } from "node:crypto";

import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  call,
  DataFormat,
  type FunctionGetOutputsItem,
  type FunctionInputSchema,
  type FunctionMapRequestSchema,
  FunctionCallInvocationType as Invocation,
  FunctionCallType as Shape,
  ModalClient,
} from "@lydian/contract";

import { encodeArguments } from "../values/arguments.ts";
import { storePayload } from "../values/payload.ts";
import { answerMs, holdSeconds, longPatienceMs } from "./await.ts";
import { currentInputId } from "./context.ts";
import type { Target } from "./target.ts";

const calls = call.Calls.method;

/** One input and its own result. */
const once = { shape: Shape.UNARY, returnExceptions: false };

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
  return await open(target, { ...once, waits, pipelined: [{ idx: 0, input }] }, signal);
}

/** A call of many inputs, which follow. */
export async function callMany(
  target: Target,
  waits: Waits,
  returnExceptions: boolean,
  signal?: AbortSignal,
): Promise<OpenCall> {
  return await open(target, { shape: Shape.MAP, waits, pipelined: [], returnExceptions }, signal);
}

interface Asked {
  readonly shape: Shape;
  readonly waits: Waits;
  readonly pipelined: { idx: number; input: Input }[];
  readonly returnExceptions: boolean;
}

function requestFor(
  functionId: string,
  { shape, waits, pipelined, returnExceptions }: Asked,
): MessageInitShape<typeof FunctionMapRequestSchema> {
  return {
    functionId,
    parentInputId: currentInputId() ?? "",
    functionCallType: shape,
    functionCallInvocationType: waits === "sync" ? Invocation.SYNC : Invocation.ASYNC,
    pipelinedInputs: pipelined,
    returnExceptions,
  };
}

async function open({ client, functionId }: Target, asked: Asked, signal: AbortSignal | undefined): Promise<OpenCall> {
  const reply = await client.ask(ModalClient.method.functionMap, requestFor(functionId, asked), { signal });
  return { callId: reply.functionCallId, mostOutstanding: reply.maxInputsOutstanding || 1000 };
}

/** A call of one input, whose output comes with the answer if it comes soon. The signal cancels it. */
export async function callAndWait(
  target: Target,
  args: readonly unknown[],
  signal?: AbortSignal,
): Promise<{ callId: string; output: FunctionGetOutputsItem | undefined }> {
  const { client, functionId } = target;
  const input = await inputOf(target, args, "sync");
  const asked = { ...once, waits: "sync" as const, pipelined: [{ idx: 0, input }] };
  const request = { call: requestFor(functionId, asked), holdMs: holdSeconds * 1000 };
  const key = randomUUID();
  const limits = { timeoutMs: holdSeconds * 1000 + answerMs, patienceMs: longPatienceMs, signal, key };
  try {
    const { functionCallId, output } = await client.ask(calls.call, request, limits);
    return { callId: functionCallId, output };
  } catch (error) {
    if (signal?.aborted === true) await client.ask(calls.call, { cancel: true }, { key });
    throw error;
  }
}

/** Cancels what of a call has not finished. */
export async function cancel(
  { client }: Pick<Target, "client">,
  callId: string,
  terminateContainers = false,
): Promise<void> {
  await client.ask(ModalClient.method.functionCallCancel, { functionCallId: callId, terminateContainers });
}
