/** Hands inputs to a container that asks for them. */
import { inputsBell } from "../domain/bells.ts";
import type { Call } from "../domain/call.ts";
import { type Container, takesInputs } from "../domain/container.ts";
import type { Context } from "../domain/context.ts";
import type { Input } from "../domain/input.ts";
import type { Tx } from "../domain/store.ts";

/** `end` tells the container to finish; `nothing` that no input waits. */
export type Claim = { kind: "inputs"; inputs: ClaimedInput[] } | { kind: "end" } | { kind: "nothing" };

/** With what a container must know of the call (how large an output may be inline), and when its time is up. */
export type ClaimedInput = Input & Pick<Call, "invocation"> & { timeoutMs: number };

export interface ClaimRequest {
  containerId: string;
  /** How many inputs it takes at most; all of them go out together. */
  atMost: number;
  /**
   * Inputs that this container is known to have received. What it has claimed besides was lost on the way to it, as
   * after a restart of the server, and is handed out again.
   */
  received: ReadonlySet<string>;
}

export async function claimInputs(tx: Tx, request: ClaimRequest, context: Context): Promise<Claim> {
  const container = await tx.containers.get(request.containerId);
  if (container === undefined) return { kind: "end" };
  // It may have been woken for an input that now another one has to take.
  const passOn = (): void => tx.ring(inputsBell(container.functionId), 1);
  if (!takesInputs(container.state)) {
    passOn();
    return { kind: "end" };
  }
  const lost = (await tx.inputs.heldBy(container.id)).filter((input) => !request.received.has(input.id));
  if (lost.length > 0) {
    passOn();
    return { kind: "inputs", inputs: await withCalls(tx, lost.slice(0, request.atMost)) };
  }
  const queued = await tx.inputs.queued(container.functionId, request.atMost);
  if (queued.length === 0) return { kind: "nothing" };
  const claimed = queued.map((input) => claimedBy(input, container, context));
  for (const input of claimed) await tx.inputs.update(input);
  await tx.functions.addDemand(container.functionId, { queued: -claimed.length, claimed: claimed.length });
  await tx.containers.update({ ...container, held: container.held + claimed.length });
  return { kind: "inputs", inputs: await withCalls(tx, claimed) };
}

async function withCalls(tx: Tx, inputs: readonly Input[]): Promise<ClaimedInput[]> {
  const found: ClaimedInput[] = [];
  for (const input of inputs) {
    const call = await tx.calls.get(input.callId);
    const demand = await tx.functions.demand(input.functionId);
    if (call === undefined || demand === undefined) throw new Error(`input ${input.id} has no call or no function`);
    found.push({ ...input, invocation: call.invocation, timeoutMs: demand.policy.timeoutMs });
  }
  return found;
}

function claimedBy(input: Input, container: Container, context: Context): Input {
  const { id: containerId } = container;
  return { ...input, state: "claimed", attempt: input.attempt + 1, containerId, claimedAt: context.now };
}
