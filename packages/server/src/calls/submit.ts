/** Takes a call: from here on it is on disk, and is answered whatever dies. */
import type { Id } from "@lydian/kit";

import { fail } from "../errors.ts";
import { isAlive } from "../domain/app.ts";
import { demandBell, inputsBell } from "../domain/bells.ts";
import type { Call } from "../domain/call.ts";
import type { Context } from "../domain/context.ts";
import type { CallTarget } from "../domain/function.ts";
import type { Tx } from "../domain/store.ts";

export interface NewInput {
  index: number;
  /** The wire's FunctionInput. */
  payload: Uint8Array;
  /** Of a class; empty for a plain function. */
  method: string;
}

/** Inputs that may wait for a container, per function. */
export interface CallLimits {
  /** When callers wait for one of them each. */
  queuedSync: number;
  /** When they were spawned, or belong to a map. */
  queuedAsync: number;
}

export interface Submission {
  /** Where the caller has named it already. */
  callId?: Id<"fc">;
  functionId: string;
  shape: Call["shape"];
  invocation: Call["invocation"];
  parentInputId: string;
  /** Inputs that came along; the only ones of a unary call. */
  inputs: readonly NewInput[];
}

export interface Submitted {
  call: Call;
  inputIds: Id<"in">[];
}

export async function submitCall(
  tx: Tx,
  submission: Submission,
  limits: CallLimits,
  context: Context,
): Promise<Submitted> {
  const target = await callable(tx, submission.functionId);
  refuseOverload(target, submission, submission.inputs.length, limits);
  const call: Call = {
    id: submission.callId ?? context.newId("fc"),
    functionId: target.id,
    appId: target.appId,
    state: "open",
    shape: submission.shape,
    invocation: submission.invocation,
    parentInputId: submission.parentInputId,
    inputs: 0,
    unfinished: 0,
    failed: 0,
    createdAt: context.now,
    finishedAt: undefined,
    acknowledgedAt: undefined,
  };
  const grown = withInputs(call, submission.inputs.length);
  await tx.calls.insert(grown);
  return { call: grown, inputIds: await insertInputs(tx, grown, submission.inputs, context) };
}

/** Adds inputs to a call that is still open, in the order given. */
export async function addInputs(
  tx: Tx,
  call: Call,
  inputs: readonly NewInput[],
  limits: CallLimits,
  context: Context,
): Promise<Submitted> {
  refuseOverload(await callable(tx, call.functionId), call, inputs.length, limits);
  const grown = withInputs(call, inputs.length);
  if (inputs.length > 0) await tx.calls.update(grown);
  return { call: grown, inputIds: await insertInputs(tx, grown, inputs, context) };
}

function withInputs(call: Call, more: number): Call {
  const state = call.shape !== "map" && more > 0 ? "closed" : call.state;
  return { ...call, state, inputs: call.inputs + more, unfinished: call.unfinished + more };
}

/** Queues have an end, so that a caller without one is slowed down before the disk is full. */
function refuseOverload(
  { name, waiting }: CallTarget,
  { shape, invocation }: Pick<Call, "shape" | "invocation">,
  more: number,
  limits: CallLimits,
): void {
  const most = invocation === "sync" && shape !== "map" ? limits.queuedSync : limits.queuedAsync;
  if (waiting + more <= most) return;
  throw fail("resourceExhausted", `Function "${name}" has ${waiting} inputs that wait, and ${most} is the most.`, {
    hint: "Wait until some are done, or raise the limit where the platform is started",
    retryAfter: 1,
  });
}

/** The function, if a call of it can ever be answered. */
async function callable(tx: Tx, functionId: string): Promise<CallTarget> {
  const target = await tx.functions.target(functionId);
  if (target === undefined) throw fail("notFound", `Function ${functionId} does not exist.`);
  if (!isAlive(target.appState)) {
    throw fail("notFound", `The app of function "${target.name}" has stopped.`, { hint: "Run or deploy it again" });
  }
  if (!target.defined) {
    throw fail("failedPrecondition", `Function "${target.name}" has a name but no definition yet.`);
  }
  return target;
}

async function insertInputs(tx: Tx, call: Call, inputs: readonly NewInput[], context: Context): Promise<Id<"in">[]> {
  const inputIds: Id<"in">[] = [];
  for (const { index, payload, method } of inputs) {
    const id = context.newId("in");
    inputIds.push(id);
    await tx.inputs.insert({
      id,
      callId: call.id,
      functionId: call.functionId,
      index,
      state: "queued",
      payload,
      method,
      attempt: 0,
      failures: 0,
      crashes: 0,
      containerId: undefined,
      claimedAt: undefined,
      queuedAt: context.now,
      dueAt: undefined,
      ending: undefined,
    });
  }
  if (inputs.length === 0) return inputIds;
  await tx.functions.addDemand(call.functionId, { queued: inputs.length });
  tx.ring(inputsBell(call.functionId), inputs.length);
  tx.ring(demandBell);
  tx.tell({ kind: "inputsQueued", count: inputs.length });
  return inputIds;
}
