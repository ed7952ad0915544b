/** Inputs go back to the queue that a container has claimed and not begun. */
import type { Context } from "../domain/context.ts";
import type { Tx } from "../domain/store.ts";
import { transition } from "./transition.ts";

/** Those that the container holds, in this attempt; what it does not hold is left alone. Answers their ids. */
export async function giveBackInputs(
  tx: Tx,
  containerId: string,
  inputs: readonly { inputId: string; attempt: number }[],
  context: Context,
): Promise<string[]> {
  const given: string[] = [];
  for (const { inputId, attempt } of inputs) {
    const input = await tx.inputs.get(inputId);
    if (input === undefined) continue;
    const next = await transition(tx, input, { kind: "giveBack", containerId, attempt }, context);
    if (next !== undefined) given.push(inputId);
  }
  return given;
}
