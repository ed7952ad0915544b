/** Takes back what a container held when it is gone: to the queue, or to an end with the reason. */
import type { Container } from "../domain/container.ts";
import type { Context } from "../domain/context.ts";
import type { CrashPolicy, Input } from "../domain/input.ts";
import { noRetries } from "../domain/retry.ts";
import type { Tx } from "../domain/store.ts";
import { transition } from "./transition.ts";

export interface End {
  /** The container ended by itself: this speaks against the inputs that it held. */
  crashed: boolean;
  /** Completes "the container …". */
  reason: string;
}

/** `held` is all that the container has. */
export async function releaseInputs(
  tx: Tx,
  container: Container,
  held: readonly Input[],
  end: End,
  crash: CrashPolicy,
  context: Context,
): Promise<void> {
  const functionName = (await tx.functions.get(container.functionId))?.name ?? "";
  const retry = (await tx.functions.terms(container.functionId))?.policy.retry ?? noRetries;
  // Only what ran alone is to blame: of several, any may have been the cause.
  const crashed = end.crashed && held.length === 1;
  for (const input of held) {
    // A request may have been answered in part, and its body is gone.
    const repeatable = (await tx.calls.get(input.callId))?.shape !== "web";
    await transition(tx, input, { kind: "lose", functionName, ...end, crashed, crash, retry, repeatable }, context);
  }
}
