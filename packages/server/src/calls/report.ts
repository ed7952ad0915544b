/** Calls as their operator reads them. */
import { fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { GenericResult_GenericStatus as Status, GenericResultSchema, operator } from "@lydian/contract";

import { type Call, type CallOutcome, outcomeOf } from "../domain/call.ts";
import type { Input } from "../domain/input.ts";
import type { CallFilter, Tx } from "../domain/store.ts";
import { fail } from "../errors.ts";
import { knownCall } from "./known.ts";

type CallSummary = MessageInitShape<typeof operator.CallSummarySchema>;
type InputSummary = MessageInitShape<typeof operator.InputSummarySchema>;

const usualLimit = 100;
const mostLines = 10_000;

/** As the operator reads them. */
export const callStates: Record<CallOutcome, operator.CallState> = {
  open: operator.CallState.OPEN,
  succeeded: operator.CallState.SUCCEEDED,
  failed: operator.CallState.FAILED,
};

export async function listCalls(tx: Tx, request: operator.ListCallsRequest): Promise<CallSummary[]> {
  const filter: CallFilter = {
    createdAfter: Number(request.createdAfterMs),
    appIds: request.app === "" ? undefined : await known("app", request.app, await tx.apps.named(request.app)),
    functionIds:
      request.function === ""
        ? undefined
        : await known("function", request.function, await tx.functions.named(request.function)),
    state: (Object.keys(callStates) as CallOutcome[]).find((state) => callStates[state] === request.state),
  };
  const calls = await tx.calls.newest(filter, Math.min(request.limit || usualLimit, mostLines));
  return await Promise.all(calls.map((call) => summary(tx, call)));
}

async function known(kind: string, name: string, ids: string[]): Promise<string[]> {
  if (ids.length === 0) throw fail("notFound", `There is no ${kind} "${name}".`);
  return ids;
}

export async function inspectCall(
  tx: Tx,
  { callId, limit }: operator.InspectCallRequest,
): Promise<{ call: CallSummary; inputs: InputSummary[] }> {
  const call = await knownCall(tx, callId);
  const inputs = await tx.inputs.ofCall(call.id, Math.min(limit || usualLimit, mostLines));
  return { call: await summary(tx, call), inputs: await Promise.all(inputs.map((input) => inputSummary(tx, input))) };
}

async function summary(tx: Tx, call: Call): Promise<CallSummary> {
  const target = await tx.functions.target(call.functionId);
  const app = await tx.apps.get(call.appId);
  return {
    callId: call.id,
    appId: call.appId,
    appName: app?.name ?? "",
    functionId: call.functionId,
    functionName: target?.name ?? "",
    state: callStates[outcomeOf(call)],
    createdAtMs: BigInt(call.createdAt),
    finishedAtMs: BigInt(call.finishedAt ?? 0),
    inputs: call.inputs,
    unfinished: call.unfinished,
    failed: call.failed,
    parentInputId: call.parentInputId,
  };
}

const endings: Partial<Record<Status, string>> = {
  [Status.SUCCESS]: "success",
  [Status.TERMINATED]: "terminated",
  [Status.TIMEOUT]: "timeout",
  [Status.INIT_FAILURE]: "initFailure",
};

async function inputSummary(tx: Tx, input: Input): Promise<InputSummary> {
  const base = {
    inputId: input.id,
    index: input.index,
    state: input.state,
    attempts: input.attempt,
    containerId: input.containerId ?? "",
    startedAtMs: BigInt(input.claimedAt ?? 0),
    dueAtMs: BigInt(input.dueAt ?? 0),
  };
  if (input.state !== "done") return base;
  const output = await tx.outputs.of(input.id);
  if (output === undefined) return base;
  const result = fromBinary(GenericResultSchema, output.result);
  return {
    ...base,
    state: endings[result.status] ?? "failure",
    startedAtMs: BigInt(output.startedAt ?? 0),
    finishedAtMs: BigInt(output.createdAt),
    error: result.exception,
  };
}
