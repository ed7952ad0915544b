/** Runs what failed of a call once more, as a call of its own: whoever has read the old results keeps them. */
import { settled } from "../domain/call.ts";
import type { Context } from "../domain/context.ts";
import type { Tx } from "../domain/store.ts";
import { fail } from "../errors.ts";
import { knownCall } from "./known.ts";
import { addInputs, type CallLimits, submitCall } from "./submit.ts";

/** In one step at most: their payloads are in memory. */
const portion = 100;

export async function retryCall(
  tx: Tx,
  callId: string,
  limits: CallLimits,
  context: Context,
): Promise<{ id: string; inputs: number }> {
  const old = await knownCall(tx, callId);
  if (old.state !== "finished") {
    throw fail("failedPrecondition", `Function call ${callId} has ${old.unfinished} inputs that are not finished.`, {
      hint: "Wait for them, or cancel the call first",
    });
  }
  if (old.failed === 0) throw fail("failedPrecondition", `No input of function call ${callId} has failed.`);
  const { functionId, parentInputId } = old;
  const submission = { functionId, parentInputId, shape: "map", invocation: "async", inputs: [] } as const;
  let { call } = await submitCall(tx, submission, limits, context);
  let inputs = 0;
  for (let last = -1, more = true; more;) {
    const failed = await tx.inputs.failed(old.id, last, portion);
    // Positions are counted anew: those of the old call would leave gaps.
    const again = failed.map(({ payload, method }, n) => ({ index: inputs + n, payload, method }));
    ({ call } = await addInputs(tx, call, again, limits, context));
    inputs += failed.length;
    last = failed.at(-1)?.index ?? last;
    more = failed.length === portion;
  }
  await tx.calls.update({ ...call, state: settled({ state: "closed", unfinished: call.unfinished }) });
  return { id: call.id, inputs };
}
