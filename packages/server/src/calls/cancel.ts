/** Cancels a call: what waits ends at once, and containers are asked to stop what they run. */
import { drain } from "../containers/begin.ts";
import type { Context } from "../domain/context.ts";
import type { Failure } from "../domain/input.ts";
import type { Tx } from "../domain/store.ts";
import { closeCall } from "./known.ts";
import { transition } from "./transition.ts";

const cancelled: Failure = { status: "terminated", message: "The call was cancelled." };

/** In one step at most. */
const portion = 500;

/** `endContainers` ends the containers that run its inputs as well. A finished call is left as it is. */
export async function cancelCall(
  tx: Tx,
  { callId, endContainers }: { callId: string; endContainers: boolean },
  context: Context,
): Promise<void> {
  await closeCall(tx, callId, context.now);
  const some = (): ReturnType<typeof tx.inputs.cancellable> => tx.inputs.cancellable(callId, portion);
  for (let inputs = await some(); inputs.length > 0; inputs = await some()) {
    for (const input of inputs) await transition(tx, input, { kind: "stop", failure: cancelled }, context);
  }
  if (!endContainers) return;
  for (const containerId of await tx.inputs.holders(callId)) await drain(tx, containerId, context.now);
}
