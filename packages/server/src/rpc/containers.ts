/** What containers ask for and report; who asks is known by the door, never by the request. */
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type FunctionPutOutputsItem,
  FunctionCallInvocationType,
  type FunctionGetInputsRequest,
  type FunctionGetInputsResponseSchema,
  FunctionInputSchema,
  GenericResult_GenericStatus,
  GenericResultSchema,
  type ModalClient,
} from "@lydian/contract";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Timer } from "@lydian/kit";

import { type Claim, claimInputs } from "../calls/claim.ts";
import type { Completion } from "../calls/complete.ts";
import { Completions } from "../calls/completions.ts";
import { encodeResult } from "../calls/result.ts";
import { advance } from "../containers/begin.ts";
import { failedToInitialize } from "../containers/end.ts";
import { containerBell, deskBell, inputsBell } from "../domain/bells.ts";
import { fail } from "../errors.ts";
import { type Rpcs, container } from "./adapter-access.ts";
import type { Deliveries, Poll } from "../calls/deliveries.ts";
import type { Desk, Handed } from "../web/desks.ts";
import type { Straight } from "../web/straight.ts";
import { type Platform, contextOf } from "./platform.ts";

export function containerRpcs(
  platform: Platform,
  deliveries: Deliveries,
  servers: { begin(containerId: string, signal: AbortSignal): Promise<void> },
): Rpcs<typeof ModalClient> {
  const { store, bells, clock, lineOwners } = platform;
  const { times } = platform.config;
  const gathered = new Completions({ store, context: () => contextOf(platform) });
  return {
    containerHello: container(() => Promise.resolve({})), // its code is not even imported yet
    containerHeartbeat: container(async (_request, { caller, signal }) => {
      const news = async (): Promise<string[] | undefined> => {
        const { state, ending } = await store.read(async (tx) => ({
          state: (await tx.containers.get(caller.id))?.state ?? "gone",
          ending: (await tx.inputs.heldBy(caller.id)).filter(({ ending }) => ending !== undefined),
        }));
        const untold = deliveries.tellToStop(caller.id, ending);
        platform.straight.stop(caller.id, untold);
        untold.push(...platform.desks.toStop(caller.id));
        return state === "gone" || untold.length > 0 ? untold : undefined;
      };
      const waitMs = times.containerHeartbeatHold;
      const inputIds = (await bells.until([containerBell(caller.id)], news, { clock, waitMs, signal })) ?? [];
      return inputIds.length === 0 ? {} : { cancelInputEvent: { inputIds } };
    }),
    containerServerLifecycleReady: container(async (_request, { caller, signal }) => {
      await servers.begin(caller.id, signal);
      return {};
    }),
    functionGetInputs: container(async (request, call) => {
      const straight = await platform.straight.of(call.caller.id);
      const found =
        straight === undefined
          ? await claim(platform, deliveries, request, call, await platform.desks.of(call.caller.id))
          : await carryAll(platform, deliveries, straight, call);
      const held = straight === undefined ? heldBy(found) : [];
      if (held.length > 0) {
        const isAlone = request.inputConcurrency <= 1 && request.batchMaxSize <= 1;
        lineOwners.began(call.caller.id, held, clock.now(), isAlone);
      }
      return claimReply(found);
    }),
    functionGetDynamicConcurrency: container(async ({ targetConcurrency, maxConcurrency }, { caller }) => {
      const queued = await store.read(async (tx) => {
        const self = await tx.containers.get(caller.id);
        return self === undefined ? 0 : ((await tx.functions.demand(self.functionId))?.queued ?? 0);
      });
      // Beyond its target a container goes only while inputs wait for which there is no other one yet.
      return { concurrency: queued > 0 ? maxConcurrency : targetConcurrency };
    }),
    functionPutOutputs: container(async ({ outputs }, { caller }) => {
      const isHanded = ({ inputId, result }: FunctionPutOutputsItem): boolean =>
        result !== undefined && platform.desks.finish(caller.id, inputId, result);
      const handed = new Set(outputs.filter(isHanded));
      lineOwners.ended(
        caller.id,
        [...handed].map(({ inputId }) => inputId),
        clock.now(),
      );
      if (handed.size === outputs.length) return {};
      const completions = outputs.filter((output) => !handed.has(output)).map(completion);
      const inputIds = completions.map(({ inputId }) => inputId);
      lineOwners.ended(caller.id, inputIds, clock.now()); // what it prints from here on is of the next one
      // Whoever waits for the end of a web request is gone after a power cut, and the request with it.
      const isFleeting = deliveries.areOfWeb(caller.id, inputIds);
      const finished = await gathered.complete(caller.id, isFleeting ? "note" : "write", completions);
      for (const inputId of finished) platform.timeouts.finished(inputId); // of no input that another container holds
      deliveries.finished(caller.id, inputIds);
      return {};
    }),
    taskResult: container(async ({ result }, { caller }) => {
      if (result === undefined) throw fail("invalidArgument", "The task's result is missing.");
      const encoded = encodeResult(result, 0);
      await store.write((tx) => failedToInitialize(tx, caller.id, encoded, contextOf(platform)));
      return {};
    }),
  };
}

/** What a poll is answered with: inputs that it has claimed, a request that waited for it in memory, or that it is to end. */
type Found = Exclude<Claim, { kind: "nothing" }> | { kind: "handed"; handed: Handed };

function heldBy(found: Found | undefined): { inputId: string; callId: string }[] {
  if (found?.kind === "handed") return [{ inputId: found.handed.inputId, callId: found.handed.exchange.callId }];
  return found?.kind === "inputs" ? found.inputs.map(({ id, callId }) => ({ inputId: id, callId })) : [];
}

/**
 * Whose inputs it asks for. As it asks for the first one, its code is imported and its `enter` hooks have run: it is ready.
 */
async function functionOf(platform: Platform, deliveries: Deliveries, containerId: string): Promise<string> {
  const known = deliveries.functionOf(containerId);
  if (known !== undefined) return known;
  const self = await platform.store.read((tx) => tx.containers.get(containerId));
  if (self === undefined) throw fail("notFound", `Container ${containerId} does not exist.`);
  if (self.state === "assigned" || self.state === "starting") {
    await platform.store.note((tx) => advance(tx, self.id, "ready", contextOf(platform)));
    platform.sessions.ready(self);
  }
  deliveries.begins(containerId, self.functionId);
  return self.functionId;
}

/**
 * Takes inputs in the container's name and carries them, for about as long as a request is held; answers what else there is to
 * say to the container.
 */
export async function carryAll(
  platform: Platform,
  deliveries: Deliveries,
  straight: Straight,
  call: Poll,
): Promise<Found | undefined> {
  const { clock, config } = platform;
  await platform.straight.listens(straight, call.signal);
  const slots = { inputConcurrency: straight.policy.maxConcurrency, batchMaxSize: 1, batchLingerMs: 0n };
  for (const until = clock.now() + config.times.claimHold; clock.now() < until;) {
    await platform.straight.room(straight, call.signal);
    const found = await claim(platform, deliveries, slots, call);
    if (found?.kind === "end") {
      platform.straight.retire(straight);
      await platform.straight.idle(straight, call.signal);
    }
    if (found?.kind !== "inputs") return found;
    for (const input of found.inputs) platform.straight.carry(straight, input);
  }
  return undefined;
}

/** Holds the request until there are inputs, or as many as go together, or the container is to end. */
async function claim(
  platform: Platform,
  deliveries: Deliveries,
  request: Pick<FunctionGetInputsRequest, "inputConcurrency" | "batchMaxSize" | "batchLingerMs">,
  call: Poll,
  desk?: Desk,
): Promise<Found | undefined> {
  const { store, bells, clock, desks } = platform;
  const { id: containerId } = call.caller;
  const functionId = await functionOf(platform, deliveries, containerId);
  const received = deliveries.before(call, request.inputConcurrency * Math.max(1, request.batchMaxSize));
  const claimRequest = {
    containerId,
    received,
    atMost: Math.max(1, request.batchMaxSize),
    lingerMs: Number(request.batchLingerMs),
  };
  let alarm: Timer | undefined;
  const poll = { key: call.idempotencyKey, slots: request.inputConcurrency };
  const takeHanded = (): Found | undefined => {
    const handed = desk && desks.take(desk, poll);
    return handed && { kind: "handed", handed };
  };
  const look = async (): Promise<Found | undefined> => {
    alarm?.[Symbol.dispose]();
    const atHand = takeHanded();
    if (atHand !== undefined) return atHand;
    // A claim that a power cut undoes is made again by whoever asks then.
    const claimed = await store.note((tx) => claimInputs(tx, claimRequest, contextOf(platform)));
    if (desk !== undefined) desks.looked(desk, claimed.kind);
    if (claimed.kind !== "nothing") return claimed;
    const come = takeHanded();
    if (come !== undefined) return come;
    const { fullerUntil } = claimed;
    if (fullerUntil === undefined) return undefined;
    alarm = clock.timer(fullerUntil - clock.now(), () => bells.ring(containerBell(containerId)));
    return undefined;
  };
  const keys = [inputsBell(functionId), containerBell(containerId), deskBell(containerId)];
  try {
    const found = await bells.until(keys, look, {
      clock,
      waitMs: platform.config.times.claimHold,
      signal: call.signal,
    });
    if (found?.kind === "inputs") {
      if (found.inTurn) platform.timeouts.watchInTurn(found.inputs);
      else for (const input of found.inputs) platform.timeouts.watch(input);
      for (const { callId } of found.inputs) platform.web.claimed(callId, containerId);
      deliveries.sent(call, found.inputs);
    }
    if (found?.kind === "handed" && desk !== undefined && call.signal.aborted) desks.putBack(desk, found.handed);
    return found;
  } finally {
    alarm?.[Symbol.dispose]();
  }
}

function claimReply(claim: Found | undefined): MessageInitShape<typeof FunctionGetInputsResponseSchema> {
  if (claim?.kind === "end") return { inputs: [{ killSwitch: true }] };
  if (claim?.kind === "handed") {
    const { inputId, input, exchange } = claim.handed;
    const functionCallInvocationType = FunctionCallInvocationType.SYNC;
    return { inputs: [{ inputId, input, functionCallId: exchange.callId, functionCallInvocationType }] };
  }
  if (claim?.kind !== "inputs") return {};
  return {
    inputs: claim.inputs.map((input) => ({
      inputId: input.id,
      input: fromBinary(FunctionInputSchema, input.payload),
      functionCallId: input.callId,
      functionCallInvocationType:
        input.invocation === "async" ? FunctionCallInvocationType.ASYNC : FunctionCallInvocationType.SYNC,
      functionMapIdx: input.index,
      // A new attempt has another number; the same one sent again, which the container may have, has not.
      retryCount: input.attempt - 1,
    })),
  };
}

function completion(item: FunctionPutOutputsItem): Completion {
  if (item.result === undefined) throw fail("invalidArgument", `The output of ${item.inputId} has no result.`);
  return {
    inputId: item.inputId,
    attempt: item.retryCount + 1,
    outcome: outcomeOf(item.result.status),
    result: { bytes: toBinary(GenericResultSchema, item.result), dataFormat: item.dataFormat },
    startedAt: item.inputStartedAt > 0 ? Math.round(item.inputStartedAt * 1000) : undefined,
  };
}

function outcomeOf(status: GenericResult_GenericStatus): Completion["outcome"] {
  switch (status) {
    case GenericResult_GenericStatus.SUCCESS:
      return "success";
    case GenericResult_GenericStatus.TERMINATED:
      return "terminated";
    default:
      return "failure";
  }
}
