/** How many containers a function should have: a pure decision over values. */
import type { Container } from "../domain/container.ts";
import { takesInputs } from "../domain/container.ts";
import type { Demand } from "../domain/function.ts";

export interface Scaling {
  /** Containers to start. */
  start: number;
  /** Containers to end, longest idle first. */
  drain: Container[];
  /** Of another definition than the function has now: they take no more inputs, and end when they have finished what they hold. */
  replaced: Container[];
  /** Idle containers that are not needed now, those to end among them: the room that they take can be had. */
  spare: Container[];
  /** When to look again even if nothing changes. */
  lookAgainAt: number | undefined;
}

/** `containers` are those of this function that are not gone. */
export function autoscale(demand: Demand, containers: readonly Container[], now: number): Scaling {
  const { policy } = demand;
  const active = containers.filter(({ state }) => takesInputs(state));
  const old = active.filter((each) => isReplaced(demand, each));
  // What a container still finishes while it drains needs no other one.
  const finishing = containers.reduce((sum, { state, held }) => sum + (state === "draining" ? held : 0), 0);
  const fresh = active.length - old.length;
  // Where there are only old ones there is to be a new one, also when nobody calls at the moment.
  const least = old.length > 0 && fresh === 0 ? 1 : 0;
  const wanted = wantedFor(demand, demand.queued + demand.claimed - finishing, least);
  // One that drains is still there: a function of which there is to be one container never has two.
  const room = Math.max(0, policy.maxContainers - containers.length);
  const lacking = Math.max(0, wanted - fresh);
  const missing = Math.min(room, lacking);
  const spare = active
    .filter(({ state, held }) => state === "ready" && held === 0)
    .toSorted((a, b) => a.idleSince - b.idleSince)
    .slice(0, Math.max(0, active.length - wanted));
  const due = spare.filter(({ idleSince }) => idleSince + policy.scaledownMs <= now);
  const next = spare[due.length];
  // Nobody says when a container has become idle: one that is busy now can be due after a whole window.
  const surplus = active.length - due.length > policy.minContainers;
  const lookAgainAt =
    next !== undefined ? next.idleSince + policy.scaledownMs : surplus ? now + policy.scaledownMs : undefined;
  const isWaiting = lacking > 0 && demand.notBefore > now;
  const replaced = replacedNow(demand, containers, lacking > room && room === 0 && !isWaiting);
  if (isWaiting) {
    const soonest = Math.min(demand.notBefore, lookAgainAt ?? Number.POSITIVE_INFINITY);
    return { start: 0, drain: due, replaced, spare, lookAgainAt: soonest };
  }
  return { start: missing, drain: due, replaced, spare, lookAgainAt };
}

/** It runs what the function was before its last deployment. */
export function isReplaced({ definitionId }: Pick<Demand, "definitionId">, container: Container): boolean {
  return container.definitionId !== definitionId;
}

function wantedFor({ policy }: Demand, inputs: number, least = 0): number {
  const busy = Math.ceil(inputs / policy.targetConcurrency);
  const buffer = busy > 0 ? policy.bufferContainers : 0;
  return Math.min(policy.maxContainers, Math.max(policy.minContainers, busy + buffer, least));
}

/**
 * Old containers take inputs until new ones are ready to, and are as many as those and what is ready together need. Where a
 * function may have no more containers, one of them ends to make way.
 */
function replacedNow(demand: Demand, containers: readonly Container[], isFull: boolean): Container[] {
  const ready = containers.filter(({ state }) => state === "ready");
  const old = ready.filter((each) => isReplaced(demand, each)).toSorted((a, b) => a.held - b.held);
  if (old.length === 0) return [];
  const fresh = ready.length - old.length;
  const needed = fresh === 0 ? old.length : wantedFor(demand, demand.queued + demand.claimed) - fresh;
  const isMoving = containers.some(({ state }) => state !== "ready");
  const least = isFull && !isMoving ? 1 : 0;
  return old.slice(0, Math.max(least, old.length - Math.max(0, needed)));
}
