/** Calls from the caller's side: submit, add inputs, wait for outputs. */
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type FunctionMapRequest,
  type FunctionPutInputsItem,
  type FunctionGetOutputsItemSchema,
  FunctionCallInvocationType,
  FunctionCallType,
  FunctionInputSchema,
  FunctionMapResponseSchema,
  type FunctionPutInputsResponseItemSchema,
  FunctionPutInputsResponseSchema,
  GenericResultSchema,
  type ModalClient,
} from "@lydian/contract";
import type { MessageInitShape } from "@bufbuild/protobuf";

import { acknowledge, awaitOutputs } from "../calls/await.ts";
import { cancelCall } from "../calls/cancel.ts";
import { callGraph } from "../calls/graph.ts";
import { closeCall, knownCall } from "../calls/known.ts";
import { type NewInput, type Submission, addInputs, submitCall } from "../calls/submit.ts";
import type { Call } from "../domain/call.ts";
import type { Output } from "../domain/input.ts";
import { fail } from "../errors.ts";
import { type Rpcs, userOrContainer } from "./adapter-access.ts";
import { streamData } from "./data-stream.ts";
import { type Platform, contextOf, once, toSeconds } from "./platform.ts";

/** Outputs in one reply at most. */
const mostOutputs = 1_000;

export function callRpcs(platform: Platform): Rpcs<typeof ModalClient> {
  const { store, clock, log } = platform;
  const { limits } = platform.config;
  return {
    functionMap: userOrContainer((request, call) =>
      once(platform, call, FunctionMapResponseSchema, async (tx, context) => {
        const { call: made, inputIds } = await submitCall(tx, submissionOf(request), limits, context);
        return {
          functionCallId: made.id,
          functionCallJwt: made.id,
          pipelinedInputs: accepted(request.pipelinedInputs, inputIds),
          maxInputsOutstanding: limits.mapOutstanding,
        };
      }),
    ),
    functionPutInputs: userOrContainer((request, call) =>
      once(platform, call, FunctionPutInputsResponseSchema, async (tx, context) => {
        const made = await knownCall(tx, request.functionCallId);
        if (made.state !== "open") throw fail("failedPrecondition", `Function call ${made.id} takes no more inputs.`);
        const { inputIds } = await addInputs(tx, made, request.inputs.map(newInput), limits, context);
        return { inputs: accepted(request.inputs, inputIds) };
      }),
    ),
    functionGetOutputs: userOrContainer(async (request, { signal }) => {
      const { functionCallId: callId, startIdx: first, endIdx: last } = request;
      const query = {
        callId,
        after: entryNumber(request.lastEntryId),
        range: first === undefined || last === undefined ? undefined : { first, last },
        atMost: Math.min(request.maxValues > 0 ? request.maxValues : mostOutputs, mostOutputs),
        waitMs: Math.min(request.timeout * 1000, platform.config.times.claimHold),
      };
      const { call, outputs } = await awaitOutputs(platform, query, signal);
      if (request.clearOnSuccess && call.unfinished === 0) {
        // Not waited for: a lost acknowledgement only means that the outputs are kept for longer.
        store
          .note((tx) => acknowledge(tx, callId, clock.now()))
          .catch((error: unknown) => log.warn({ err: error, call: callId }, "an acknowledgement was not kept"));
      }
      return {
        idxs: outputs.map(({ index }) => index),
        outputs: outputs.map(outputItem),
        lastEntryId: `${outputs.at(-1)?.entry ?? query.after}-0`,
        numUnfinishedInputs: call.unfinished,
      };
    }),
    functionFinishInputs: userOrContainer(async ({ functionCallId }) => {
      await store.write((tx) => closeCall(tx, functionCallId, clock.now()));
      return {};
    }),
    functionCallFromId: userOrContainer(async ({ functionCallId }) => {
      const { id, inputs: numInputs, appId, functionId } = await store.read((tx) => knownCall(tx, functionCallId));
      return { functionCallId: id, numInputs, metadata: { appId, functionId } };
    }),
    functionCallCancel: userOrContainer(async ({ functionCallId: callId, terminateContainers: endContainers }) => {
      await store.write((tx) => cancelCall(tx, { callId, endContainers }, contextOf(platform)));
      return {};
    }),
    functionCallGetDataOut: userOrContainer((request, { signal }) => streamData(platform, request, signal)),
    functionGetCallGraph: userOrContainer(({ functionCallId }) => store.read((tx) => callGraph(tx, functionCallId))),
  };
}

/** What a request for a call asks for. */
export function submissionOf(request: FunctionMapRequest): Submission {
  return {
    functionId: request.functionId,
    shape: shapeOf(request.functionCallType),
    invocation: invocationOf(request.functionCallInvocationType),
    parentInputId: request.parentInputId,
    inputs: request.pipelinedInputs.map(newInput),
  };
}

function shapeOf(type: FunctionCallType): Call["shape"] {
  return type === FunctionCallType.MAP ? "map" : "unary";
}

function invocationOf(type: FunctionCallInvocationType): Call["invocation"] {
  switch (type) {
    case FunctionCallInvocationType.ASYNC:
    case FunctionCallInvocationType.ASYNC_LEGACY:
      return "async";
    default:
      return "sync";
  }
}

function newInput({ idx, input }: FunctionPutInputsItem): NewInput {
  if (input === undefined) throw fail("invalidArgument", `Input ${idx} has no arguments.`);
  return { index: idx, payload: toBinary(FunctionInputSchema, input), method: input.methodName ?? "" };
}

/** The client hands an input's ticket back with later requests about it; ours needs no secret, so it is the id. */
function accepted(
  items: readonly FunctionPutInputsItem[],
  inputIds: readonly string[],
): MessageInitShape<typeof FunctionPutInputsResponseItemSchema>[] {
  return items.map(({ idx }, position) => {
    const inputId = inputIds[position] ?? "";
    return { idx, inputId, inputJwt: inputId };
  });
}

export function outputItem(output: Output): MessageInitShape<typeof FunctionGetOutputsItemSchema> {
  return {
    idx: output.index,
    inputId: output.inputId,
    result: fromBinary(GenericResultSchema, output.result),
    dataFormat: output.dataFormat,
    taskId: output.containerId ?? "",
    inputStartedAt: toSeconds(output.startedAt),
    outputCreatedAt: toSeconds(output.createdAt),
    retryCount: 0,
  };
}

/** Entries travel as "<number>-0"; the clients begin with "0-0". */
function entryNumber(entryId: string): number {
  const number = Number.parseInt(entryId, 10);
  return Number.isSafeInteger(number) && number > 0 ? number : 0;
}
