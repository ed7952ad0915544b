/** Finds a call that somebody names, and closes it when no more inputs come. */
import { callBell } from "../domain/bells.ts";
import { type Call, settled } from "../domain/call.ts";
import type { Tx } from "../domain/store.ts";
import { fail } from "../errors.ts";

export async function knownCall(tx: Tx, callId: string): Promise<Call> {
  const call = await tx.calls.get(callId);
  if (call !== undefined) return call;
  throw fail("notFound", `Function call ${callId} does not exist, or its results are no longer kept.`);
}

/** Its inputs are all that it gets: with the last output it is finished. Said twice, nothing changes. */
export async function closeCall(tx: Tx, callId: string, now: number): Promise<void> {
  const call = await knownCall(tx, callId);
  if (call.state !== "open") return;
  const state = settled({ state: "closed", unfinished: call.unfinished });
  await tx.calls.update({ ...call, state, finishedAt: state === "finished" ? now : undefined });
  tx.ring(callBell(call.id));
}
