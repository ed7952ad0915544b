/** What containers ask for and report; who asks is known by the door, never by the request. */
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type FunctionPutOutputsItem,
  FunctionCallInvocationType,
  type FunctionGetInputsResponseSchema,
  FunctionInputSchema,
  GenericResultSchema,
  type ModalClient,
} from "@lydian/contract";
import type { MessageInitShape } from "@bufbuild/protobuf";

import { type Claim, claimInputs } from "../calls/claim.ts";
import { type Completion, completeInputs } from "../calls/complete.ts";
import { encodeResult } from "../calls/result.ts";
import { advance, drain } from "../containers/begin.ts";
import { failedToInitialize } from "../containers/end.ts";
import { containerBell, inputsBell } from "../domain/bells.ts";
import { fail } from "../errors.ts";
import { type Rpcs, container, userOrContainer } from "./adapter-access.ts";
import type { Deliveries } from "../calls/deliveries.ts";
import { type Platform, contextOf } from "./platform.ts";

export function containerRpcs(platform: Platform, deliveries: Deliveries): Rpcs<typeof ModalClient> {
  const { store, bells, clock } = platform;
  const { times } = platform.config;
  return {
    containerHello: container(async (_request, { caller }) => {
      const self = await store.note(async (tx) => {
        await advance(tx, caller.id, "ready", contextOf(platform));
        return tx.containers.get(caller.id);
      });
      if (self !== undefined) platform.sessions.ready(self);
      return {};
    }),
    containerHeartbeat: container(async (_request, { caller, signal }) => {
      const gone = async (): Promise<true | undefined> => {
        const found = await store.read((tx) => tx.containers.get(caller.id));
        return found === undefined || found.state === "gone" ? true : undefined;
      };
      await bells.until([containerBell(caller.id)], gone, { clock, waitMs: times.containerHeartbeatHold, signal });
      return {};
    }),
    functionGetInputs: container(async (request, call) => {
      const { id } = call.caller;
      const self = await store.read((tx) => tx.containers.get(id));
      if (self === undefined) throw fail("notFound", `Container ${id} does not exist.`);
      const atMost = Math.max(1, request.batchMaxSize);
      const received = deliveries.before(call, request.inputConcurrency);
      const claim = async (): Promise<Exclude<Claim, { kind: "nothing" }> | undefined> => {
        // A claim that a power cut undoes is made again by whoever asks then.
        const claimed = await store.note((tx) =>
          claimInputs(tx, { containerId: id, atMost, received }, contextOf(platform)),
        );
        return claimed.kind === "nothing" ? undefined : claimed;
      };
      const keys = [inputsBell(self.functionId), containerBell(id)];
      const found = await bells.until(keys, claim, { clock, waitMs: times.claimHold, signal: call.signal });
      if (found?.kind === "inputs") {
        for (const input of found.inputs) platform.timeouts.watch(input);
        deliveries.sent(
          call,
          found.inputs.map((input) => input.id),
        );
      }
      return claimReply(found);
    }),
    functionPutOutputs: container(async ({ outputs }, { caller }) => {
      const completions = outputs.map(completion);
      const finished = await store.write((tx) => completeInputs(tx, caller.id, completions, contextOf(platform)));
      for (const inputId of finished) platform.timeouts.finished(inputId); // of no input that another container holds
      deliveries.finished(
        caller.id,
        completions.map(({ inputId }) => inputId),
      );
      return {};
    }),
    taskResult: container(async ({ result }, { caller }) => {
      if (result === undefined) throw fail("invalidArgument", "The task's result is missing.");
      const encoded = encodeResult(result, 0);
      await store.write((tx) => failedToInitialize(tx, caller.id, encoded, contextOf(platform)));
      return {};
    }),
    containerStop: userOrContainer(async ({ taskId }, { caller }) => {
      if (caller.kind === "container" && caller.id !== taskId) {
        throw fail("permissionDenied", "A container can stop only itself.");
      }
      await store.write((tx) => drain(tx, taskId, clock.now() + times.drainGrace));
      return {};
    }),
  };
}

function claimReply(claim: Claim | undefined): MessageInitShape<typeof FunctionGetInputsResponseSchema> {
  if (claim?.kind === "end") return { inputs: [{ killSwitch: true }] };
  if (claim?.kind !== "inputs") return {};
  return {
    inputs: claim.inputs.map((input) => ({
      inputId: input.id,
      input: fromBinary(FunctionInputSchema, input.payload),
      functionCallId: input.callId,
      functionCallInvocationType:
        input.invocation === "async" ? FunctionCallInvocationType.ASYNC : FunctionCallInvocationType.SYNC,
      functionMapIdx: input.index,
    })),
  };
}

function completion(item: FunctionPutOutputsItem): Completion {
  if (item.result === undefined) throw fail("invalidArgument", `The output of ${item.inputId} has no result.`);
  return {
    inputId: item.inputId,
    result: { bytes: toBinary(GenericResultSchema, item.result), dataFormat: item.dataFormat },
    startedAt: item.inputStartedAt > 0 ? Math.round(item.inputStartedAt * 1000) : undefined,
  };
}
