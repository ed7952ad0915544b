/** Turns inputs into outputs; whoever completes an input twice, or without holding it, changes nothing. */
import { callBell, demandBell } from "../domain/bells.ts";
import { settled } from "../domain/call.ts";
import type { Context } from "../domain/context.ts";
import type { Failure, Input } from "../domain/input.ts";
import type { Tx } from "../domain/store.ts";
import { type Result, failureResult } from "./result.ts";

export interface Completion {
  inputId: string;
  result: Result;
  /** When the container began with it, if it says so. */
  startedAt: number | undefined;
}

/**
 * Outputs that a container reports. Those of inputs that it does not hold are ignored: the fence. Answers the inputs that
 * are finished by them.
 */
export async function completeInputs(
  tx: Tx,
  containerId: string,
  completions: readonly Completion[],
  context: Context,
): Promise<string[]> {
  const container = await tx.containers.get(containerId);
  if (container === undefined || container.state === "gone") return [];
  const finished: string[] = [];
  for (const { inputId, result, startedAt } of completions) {
    const input = await tx.inputs.get(inputId);
    if (input?.state !== "claimed" || input.containerId !== container.id) continue;
    await finish(tx, input, result, startedAt, context);
    finished.push(input.id);
  }
  if (finished.length === 0) return [];
  const held = container.held - finished.length;
  await tx.containers.update({
    ...container,
    held,
    finished: container.finished + finished.length,
    idleSince: held === 0 ? context.now : container.idleSince,
  });
  const demand = await tx.functions.demand(container.functionId);
  if (demand !== undefined && (demand.crashStreak > 0 || demand.notBefore > 0)) {
    await tx.functions.setCrashes(container.functionId, 0, 0);
    tx.ring(demandBell);
  }
  return finished;
}

/** Ends inputs without their code having said so. Those that a container held count as held no more. */
export async function failInputs(
  tx: Tx,
  inputs: readonly Input[],
  failure: Failure | Result,
  context: Context,
): Promise<void> {
  const result = "bytes" in failure ? failure : failureResult(failure);
  for (const input of inputs) {
    await finish(tx, input, result, undefined, context);
    const container = input.containerId === undefined ? undefined : await tx.containers.get(input.containerId);
    if (container !== undefined && container.state !== "gone") {
      await tx.containers.update({ ...container, held: container.held - 1, idleSince: context.now });
    }
  }
}

async function finish(
  tx: Tx,
  input: Input,
  result: Result,
  startedAt: number | undefined,
  context: Context,
): Promise<void> {
  await tx.inputs.update({ ...input, state: "done" });
  await tx.outputs.insert({
    callId: input.callId,
    inputId: input.id,
    index: input.index,
    result: result.bytes,
    dataFormat: result.dataFormat,
    containerId: input.containerId,
    startedAt: startedAt ?? input.claimedAt,
    createdAt: context.now,
  });
  await tx.functions.addDemand(input.functionId, input.state === "queued" ? { queued: -1 } : { claimed: -1 });
  const call = await tx.calls.get(input.callId);
  if (call === undefined) throw new Error(`input ${input.id} has no call`);
  const unfinished = call.unfinished - 1;
  const state = settled({ state: call.state, unfinished });
  await tx.calls.update({
    ...call,
    unfinished,
    state,
    finishedAt: state === "finished" ? context.now : call.finishedAt,
  });
  tx.ring(callBell(call.id));
}
