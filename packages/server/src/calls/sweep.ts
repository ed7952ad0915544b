/** Ends everything of a call or a function, or forgets a call: a portion at once, and the rest by and by (sweeps/), so that nobody waits for a long unit of work. */
import type { Context } from "../domain/context.ts";
import type { Failure, Input } from "../domain/input.ts";
import type { Tx } from "../domain/store.ts";
import type { Sweep } from "../domain/sweep.ts";
import { later, noResult, portion } from "../sweeps/portion.ts";
import { failureResult, type Result } from "./result.ts";
import { transition } from "./transition.ts";

const cancelled: Failure = { status: "terminated", message: "The call was cancelled." };

/** Those whose rows are inputs. */
type InputSweep = Sweep & { what: "cancel" | "fail" | "failWaiting" };

/** What waits of a call ends, and what runs is asked to stop. */
export async function cancelInputs(tx: Tx, callId: string, context: Context): Promise<void> {
  await begin(tx, { what: "cancel", target: callId, ...noResult }, context);
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
  const rows = await forgetSome(tx, callId);
  await later(tx, { what: "forget", target: callId, ...noResult }, rows);
  return rows;
}

async function begin(tx: Tx, sweep: InputSweep, context: Context): Promise<void> {
  await later(tx, sweep, await inputsOn(tx, sweep, context));
}

export async function failInput(tx: Tx, input: Input, result: Result, context: Context): Promise<void> {
  const report = { result, startedAt: undefined };
  await transition(tx, input, { kind: "fail", failure: "asReported" }, context, report);
}

/** Up to a portion of it; answers how many rows that were. */
export async function inputsOn(tx: Tx, sweep: InputSweep, context: Context): Promise<number> {
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
  }
}

export async function forgetSome(tx: Tx, callId: string): Promise<number> {
  return await tx.calls.removeRows(callId, portion);
}
