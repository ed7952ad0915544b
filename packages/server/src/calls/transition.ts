/** The one place where an input changes its state: the row, the counts beside it, its output, and who is woken. */
import { alarmsBell, callBell, containerBell, demandBell, inputsBell } from "../domain/bells.ts";
import { settled } from "../domain/call.ts";
import type { Context } from "../domain/context.ts";
import type { InputEnded } from "../domain/happening.ts";
import type { Failure, Input, InputEvent } from "../domain/input.ts";
import { step } from "../domain/input.ts";
import type { Tx } from "../domain/store.ts";
import { type Result, failureResult } from "./result.ts";

/** What a container reported, for an input that ends as reported. */
export interface Report {
  result: Result;
  /** When the container began with it, if it says so. */
  startedAt: number | undefined;
}

/** The input as it then is; undefined when the event changes nothing. */
export async function transition(
  tx: Tx,
  input: Input,
  event: InputEvent,
  context: Context,
  report?: Report,
): Promise<Input | undefined> {
  const made = step(input, event, context.now);
  if (made === undefined) return undefined;
  const { next } = made;
  if ("ends" in made) {
    const ends = made.ends === "asReported" ? report : { result: failureResult(made.ends), startedAt: undefined };
    if (ends === undefined) throw new Error(`input ${input.id} ends as reported, but nothing was`);
    await finish(tx, next, ends, endOf(event, made.ends), context);
  } else {
    await tx.inputs.update(next);
    if (next.state === "delayed") tx.tell({ kind: "inputDelayed" });
  }
  await count(tx, input, next, context);
  wake(tx, input, next);
  return next;
}

function endOf(event: InputEvent, ends: "asReported" | Failure): InputEnded["status"] {
  if (ends !== "asReported") return ends.status;
  return event.kind === "report" && event.outcome !== "interrupted" ? event.outcome : "failure";
}

/** The counts that the scheduler reads, and what its container holds. */
async function count(tx: Tx, before: Input, after: Input, { now }: Context): Promise<void> {
  if (before.state !== after.state) {
    await tx.functions.addDemand(before.functionId, {
      ...(before.state !== "done" && { [before.state]: -1 }),
      ...(after.state !== "done" && { [after.state]: 1 }),
    });
  }
  const held = Number(after.state === "claimed") - Number(before.state === "claimed");
  const holder = after.containerId ?? before.containerId;
  if (held === 0 || holder === undefined) return;
  await tx.containers.addHeld(holder, { held, finished: held < 0 && after.state === "done" ? 1 : 0 }, now);
}

async function finish(
  tx: Tx,
  input: Input,
  { result, startedAt }: Report,
  status: InputEnded["status"],
  { now }: Context,
): Promise<void> {
  const succeeded = status === "success";
  const output = await tx.outputs.insert({
    callId: input.callId,
    inputId: input.id,
    index: input.index,
    result: result.bytes,
    dataFormat: result.dataFormat,
    containerId: input.containerId,
    startedAt: startedAt ?? input.claimedAt,
    createdAt: now,
  });
  const call = await tx.calls.get(input.callId);
  if (call === undefined) throw new Error(`input ${input.id} has no call`);
  const isWeb = call.shape === "web"; // it cannot be repeated, and who waits for it has it as soon as it is there
  await tx.inputs.finish(input, { output, keepsPayload: !succeeded && !isWeb });
  const unfinished = call.unfinished - 1;
  const state = settled({ state: call.state, unfinished });
  const failed = call.failed + (succeeded ? 0 : 1);
  const after = {
    ...call,
    unfinished,
    failed,
    state,
    finishedAt: state === "finished" ? now : call.finishedAt,
    acknowledgedAt: isWeb ? now : call.acknowledgedAt,
  };
  await tx.calls.update(after);
  tx.ring(callBell(call.id));
  tx.tell({ kind: "inputEnded", input, call: after, status, startedAt: startedAt ?? input.claimedAt, endedAt: now });
}

function wake(tx: Tx, before: Input, after: Input): void {
  if (after.state === "queued" && before.state !== "queued") {
    tx.ring(inputsBell(after.functionId), 1);
    tx.ring(demandBell);
  }
  if (after.state === "delayed" || after.ending !== undefined) tx.ring(alarmsBell);
  if (after.ending !== undefined && after.containerId !== undefined) tx.ring(containerBell(after.containerId));
}
