/**
 * Ends everything of a call or a function, or removes what was in a dict or queue: a portion at once and the rest by and by (alarms.ts goes on with it, over
 * restarts too), so that nobody waits for a long unit of work.
 */
import { DataFormat } from "@lydian/contract";

import { alarmsBell } from "../domain/bells.ts";
import type { Context } from "../domain/context.ts";
import type { Failure, Input } from "../domain/input.ts";
import type { Tx } from "../domain/store.ts";
import type { Emptied, Sweep } from "../domain/sweep.ts";
import { failureResult, type Result } from "./result.ts";
import { transition } from "./transition.ts";

/** Rows in one unit of work: about 12 ms of processor time. */
export const portion = 200;

const cancelled: Failure = { status: "terminated", message: "The call was cancelled." };

const nothing = { result: new Uint8Array(), dataFormat: DataFormat.UNSPECIFIED };

/** What waits of a call ends, and what runs is asked to stop. */
export async function cancelInputs(tx: Tx, callId: string, context: Context): Promise<void> {
  await begin(tx, { what: "cancel", target: callId, ...nothing }, context);
}

/** Ends all that a function has, or what waits for a container of it, without their code having said so. */
export async function failUnfinished(
  tx: Tx,
  of: { functionId: string } | { waitingFor: string },
  failure: Failure | Result,
  context: Context,
): Promise<void> {
  const { bytes: result, dataFormat } = "status" in failure ? failureResult(failure) : failure;
  const which =
    "functionId" in of
      ? { what: "fail" as const, target: of.functionId }
      : { what: "failWaiting" as const, target: of.waitingFor };
  await begin(tx, { ...which, result, dataFormat }, context);
}

/** Nothing is left of the call; answers how many rows went at once. */
export async function forgetCall(tx: Tx, callId: string): Promise<number> {
  await tx.calls.remove(callId);
  const rows = await tx.calls.removeRows(callId, portion);
  await later(tx, { what: "forget", target: callId, ...nothing }, rows);
  return rows;
}

/** Removes what nobody can see any more; answers how many rows went at once. */
export async function empty(tx: Tx, what: Emptied, contents: number): Promise<number> {
  const removal = { what, target: String(contents) };
  const rows = await removeSome(tx, removal);
  await later(tx, { ...removal, ...nothing }, rows);
  return rows;
}

export async function failInput(tx: Tx, input: Input, result: Result, context: Context): Promise<void> {
  const report = { result, startedAt: undefined };
  await transition(tx, input, { kind: "fail", failure: "asReported" }, context, report);
}

/** The next portion of what was begun first; answers what that was if it is done now. */
export async function goOn(tx: Tx, context: Context): Promise<Sweep | undefined> {
  const first = await tx.sweeps.first();
  if (first === undefined || (await some(tx, first, context)) === portion) return undefined;
  await tx.sweeps.remove(first);
  return first;
}

async function begin(tx: Tx, sweep: Sweep, context: Context): Promise<void> {
  await later(tx, sweep, await some(tx, sweep, context));
}

/** There may be more than what was done at once. */
async function later(tx: Tx, sweep: Sweep, rows: number): Promise<void> {
  if (rows < portion) return;
  await tx.sweeps.insert(sweep);
  tx.ring(alarmsBell);
}

/** Up to a portion of it; answers how many rows that were. */
async function some(tx: Tx, sweep: Sweep, context: Context): Promise<number> {
  const { what, target, result: bytes, dataFormat } = sweep;
  switch (what) {
    case "cancel": {
      const inputs = await tx.inputs.cancellable(target, portion);
      for (const input of inputs) await transition(tx, input, { kind: "stop", failure: cancelled }, context);
      return inputs.length;
    }
    case "fail":
    case "failWaiting": {
      const states = what === "fail" ? "unfinished" : "waiting";
      const inputs = await tx.inputs[states](target, portion);
      for (const input of inputs) await failInput(tx, input, { bytes, dataFormat }, context);
      return inputs.length;
    }
    default:
      return await removeSome(tx, { what, target });
  }
}

type Removal = Pick<Sweep, "target"> & { what: Extract<Sweep["what"], "forget" | Emptied> };

async function removeSome(tx: Tx, { what, target }: Removal): Promise<number> {
  switch (what) {
    case "forget":
      return await tx.calls.removeRows(target, portion);
    case "emptyDict":
      return await tx.dicts.removeAll(Number(target), portion);
    case "emptyQueue":
      return await tx.queues.removeAll(Number(target), portion);
    case "emptyPartition":
      return await tx.queues.removeItems(Number(target), portion);
  }
}
