/** Turns inputs into outputs; whoever completes an input twice, or without holding it, changes nothing. */
import { exitGraceMs } from "../containers/begin.ts";
import { demandBell, idleBell } from "../domain/bells.ts";
import type { Container } from "../domain/container.ts";
import type { Context } from "../domain/context.ts";
import type { Input, Outcome } from "../domain/input.ts";
import { noRetries } from "../domain/retry.ts";
import type { Tx } from "../domain/store.ts";
import type { Result } from "./result.ts";
import { transition } from "./transition.ts";

export interface Completion {
  inputId: string;
  /** The attempt that the container was given. */
  attempt: number;
  outcome: Exclude<Outcome, "interrupted">;
  result: Result;
  /** When the container began with it, if it says so. */
  startedAt: number | undefined;
}

/**
 * Outputs that a container reports together. Those of inputs that it does not hold, or holds in a later attempt, are
 * ignored: the fence. Answers the inputs that it holds no more.
 */
export async function completeInputs(
  tx: Tx,
  containerId: string,
  completions: readonly Completion[],
  context: Context,
): Promise<string[]> {
  const container = await tx.containers.get(containerId);
  if (container === undefined || container.state === "gone") return [];
  const terms = await tx.functions.terms(container.functionId);
  const retry = terms?.policy.retry ?? noRetries;
  const isStopped = completions.some(({ outcome }) => outcome === "terminated") && (terms?.policy.batchSize ?? 0) > 0;
  const released = isStopped ? await interruptBatches(tx, containerId, context) : [];
  let finished = false;
  for (const { inputId, attempt, outcome, ...report } of completions) {
    const input = await tx.inputs.get(inputId);
    if (input === undefined) continue;
    const event = { kind: "report", containerId, attempt, outcome: await meant(tx, input, outcome), retry } as const;
    const next = await transition(tx, input, event, context, report);
    if (next === undefined) continue;
    released.push(inputId);
    finished ||= next.state === "done";
  }
  const isStruck = terms !== undefined && (terms.crashStreak > 0 || terms.notBefore > 0);
  // What a container from before a deployment can do says nothing of those after it.
  if (finished && isStruck && (await isCurrent(tx, container))) {
    await tx.functions.setCrashes(container.functionId, 0, 0);
    tx.ring(demandBell);
  }
  const isIdle = released.length === container.held;
  if (isIdle && (await tx.functions.demand(container.functionId))?.queued === 0) tx.ring(idleBell);
  if (container.state === "draining" && released.length > 0) await setDeadline(tx, containerId, context);
  return released;
}

async function isCurrent(tx: Tx, { functionId, definitionId }: Container): Promise<boolean> {
  return (await tx.functions.demand(functionId))?.definitionId === definitionId;
}

/** The clients' containers take a web function that was told to stop for one that has come to its end. */
async function meant(
  tx: Tx,
  { callId, ending }: Input,
  outcome: Completion["outcome"],
): Promise<Completion["outcome"]> {
  if (ending === undefined || outcome !== "success") return outcome;
  return (await tx.calls.get(callId))?.shape === "web" ? "terminated" : outcome;
}

/**
 * A batch is stopped as a whole, for the sake of some of its inputs: the others run again, also those of which the
 * container speaks only in its next request. Answers them.
 */
async function interruptBatches(tx: Tx, containerId: string, context: Context): Promise<string[]> {
  const held = await tx.inputs.heldBy(containerId);
  const stoppedAt = new Set(held.filter(({ ending }) => ending !== undefined).map(({ claimedAt }) => claimedAt));
  const others = held.filter(({ ending, claimedAt }) => ending === undefined && stoppedAt.has(claimedAt));
  for (const input of others) {
    const { attempt } = input;
    const event = { kind: "report", containerId, attempt, outcome: "interrupted", retry: noRetries } as const;
    await transition(tx, input, event, context);
  }
  return others.map(({ id }) => id);
}

/** A container that ends by itself after its last input has that long for it. */
async function setDeadline(tx: Tx, containerId: string, { now }: Context): Promise<void> {
  const container = await tx.containers.get(containerId);
  if (container === undefined || container.held > 0 || container.killAt !== undefined) return;
  await tx.containers.update({ ...container, killAt: now + exitGraceMs });
  tx.ring(demandBell);
}
