/** Takes back what a container held when it is gone: to the queue, or to an end with the reason. */
import { demandBell, inputsBell } from "../domain/bells.ts";
import type { Container } from "../domain/container.ts";
import type { Context } from "../domain/context.ts";
import { type CrashPolicy, afterLoss } from "../domain/input.ts";
import type { Tx } from "../domain/store.ts";
import { failInputs } from "./complete.ts";

export interface End {
  /** The container ended by itself: this speaks against the inputs that it held. */
  crashed: boolean;
  /** Completes "the container …". */
  reason: string;
}

export async function releaseInputs(
  tx: Tx,
  container: Container,
  end: End,
  policy: CrashPolicy,
  context: Context,
): Promise<void> {
  const held = await tx.inputs.heldBy(container.id);
  // Only what ran alone is to blame: of several, any may have been the cause.
  const crashed = end.crashed && held.length === 1;
  let requeued = 0;
  for (const input of held) {
    const next = afterLoss(input, { ...end, crashed }, policy);
    if (next.state === "done") {
      await failInputs(tx, [input], next.failure, context);
      continue;
    }
    await tx.inputs.update({ ...input, ...next, containerId: undefined, claimedAt: undefined });
    requeued++;
  }
  if (requeued === 0) return;
  await tx.functions.addDemand(container.functionId, { queued: requeued, claimed: -requeued });
  tx.ring(inputsBell(container.functionId), requeued);
  tx.ring(demandBell);
}
