/** Hands inputs to a container that asks for them. */
import { inputsBell } from "../domain/bells.ts";
import type { Call } from "../domain/call.ts";
import { type Container, takesInputs } from "../domain/container.ts";
import type { Context } from "../domain/context.ts";
import type { FunctionPolicy } from "../domain/function.ts";
import type { Input } from "../domain/input.ts";
import type { Tx } from "../domain/store.ts";
import { transition } from "./transition.ts";

/**
 * `end` tells the container to finish; `nothing` that no input waits, or too few until that moment. `inTurn`: of these inputs
 * it begins each when the one before is finished.
 */
export type Claim =
  | { kind: "inputs"; inputs: ClaimedInput[]; inTurn: boolean }
  | { kind: "end" }
  | { kind: "nothing"; fullerUntil: number | undefined };

/** With what a container must know of the call (how large an output may be inline), whose it is, and when its time is up. */
export type ClaimedInput = Input & Pick<Call, "invocation" | "shape"> & { timeoutMs: number };

/** Of what waits one container claims at most so much ahead. */
const aheadShare = 0.25;

export interface ClaimRequest {
  containerId: string;
  /** How many inputs it takes at most; all of them go out together. */
  atMost: number;
  /** How long the first of several inputs may wait for the others, in milliseconds. */
  lingerMs: number;
  /**
   * Inputs that this container is known to have received. What it has claimed besides was lost on the way to it, as
   * after a restart of the server, and is handed out again.
   */
  received: { has(inputId: string): boolean };
}

export async function claimInputs(tx: Tx, request: ClaimRequest, context: Context): Promise<Claim> {
  const container = await tx.containers.get(request.containerId);
  if (container === undefined) return { kind: "end" };
  const terms = await tx.functions.terms(container.functionId);
  if (terms === undefined) throw new Error(`function ${container.functionId} is missing`);
  const { policy } = terms;
  const inTurn = policy.batchSize === 0 && request.atMost > policy.maxConcurrency;
  // It may have been woken for an input that now another one has to take.
  const passOn = (): void => tx.ring(inputsBell(container.functionId), 1);
  if (container.state === "gone") return { kind: "end" };
  const holds = container.held === 0 ? [] : await tx.inputs.idsHeldBy(container.id);
  if (holds.some((id) => !request.received.has(id)) && container.killAt === undefined) {
    passOn();
    const lost = (await tx.inputs.heldBy(container.id)).filter(({ id }) => !request.received.has(id));
    const together = lost.filter(({ method }) => method === lost[0]?.method).slice(0, request.atMost);
    return { kind: "inputs", inputs: await withCalls(tx, together, policy), inTurn };
  }
  if (!takesInputs(container.state)) {
    passOn();
    return { kind: "end" };
  }
  const take = inTurn ? ahead : oneBatch;
  const queued = await take(tx, container.functionId, request.atMost, policy);
  const [first] = queued;
  if (first === undefined) return { kind: "nothing", fullerUntil: undefined };
  const fullerUntil = first.queuedAt + request.lingerMs;
  if (queued.length < request.atMost && fullerUntil > context.now) return { kind: "nothing", fullerUntil };
  const inputs = await claim(tx, container, queued, context);
  // The container ends by itself when it has done what it has taken now.
  if (policy.singleUse) await endAfterThis(tx, container.id);
  return { kind: "inputs", inputs: await withCalls(tx, inputs, policy), inTurn };
}

/** What goes out together is of one method: that of the input that has waited longest. */
async function oneBatch(tx: Tx, functionId: string, atMost: number): Promise<Input[]> {
  const [oldest] = await tx.inputs.queued(functionId, 1);
  if (oldest === undefined || atMost === 1) return oldest === undefined ? [] : [oldest];
  return await tx.inputs.queued(functionId, atMost, oldest.method);
}

/**
 * More than the container runs at a time: its inputs are so short that the way here takes longer than they do. They are of one
 * call, and most of what waits is left to other containers. What was handed out before goes alone: it may have been what a
 * container died of, or so slow that it was given back.
 */
async function ahead(tx: Tx, functionId: string, atMost: number, { singleUse }: FunctionPolicy): Promise<Input[]> {
  const waiting = (await tx.functions.demand(functionId))?.queued ?? 0;
  const share = singleUse ? 1 : Math.max(1, Math.min(atMost, Math.floor(waiting * aheadShare)));
  const inputs = await oneBatch(tx, functionId, share);
  const [oldest] = inputs;
  const isFresh = ({ callId, attempt }: Input): boolean => callId === oldest?.callId && attempt === 0;
  const end = inputs.findIndex((input) => !isFresh(input));
  return end === -1 ? inputs : inputs.slice(0, Math.max(1, end));
}

async function claim(
  tx: Tx,
  { id: containerId }: Container,
  queued: readonly Input[],
  context: Context,
): Promise<Input[]> {
  const inputs: Input[] = [];
  for (const input of queued) {
    const claimed = await transition(tx, input, { kind: "claim", containerId }, context);
    if (claimed !== undefined) inputs.push(claimed);
  }
  return inputs;
}

async function endAfterThis(tx: Tx, containerId: string): Promise<void> {
  const container = await tx.containers.get(containerId);
  if (container !== undefined) await tx.containers.update({ ...container, state: "draining" });
}

async function withCalls(tx: Tx, inputs: readonly Input[], { timeoutMs }: FunctionPolicy): Promise<ClaimedInput[]> {
  const found: ClaimedInput[] = [];
  for (const input of inputs) {
    const call = await tx.calls.get(input.callId);
    if (call === undefined) throw new Error(`input ${input.id} has no call`);
    found.push({ ...input, invocation: call.invocation, shape: call.shape, timeoutMs });
  }
  return found;
}
