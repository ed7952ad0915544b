/** Cancels a call: what waits ends at once, and containers are asked to stop what they run. */
import { drain } from "../containers/begin.ts";
import type { Context } from "../domain/context.ts";
import type { Tx } from "../domain/store.ts";
import { closeCall } from "./known.ts";
import { cancelInputs } from "./sweep.ts";

/** `endContainers` ends the containers that run its inputs as well. A finished call is left as it is. */
export async function cancelCall(
  tx: Tx,
  { callId, endContainers }: { callId: string; endContainers: boolean },
  context: Context,
): Promise<void> {
  await closeCall(tx, callId, context.now);
  await cancelInputs(tx, callId, context);
  if (!endContainers) return;
  for (const containerId of await tx.inputs.holders(callId)) await drain(tx, containerId, context.now);
}
