/** How many containers a function should have: a pure decision over values. */
import type { Container } from "../domain/container.ts";
import { takesInputs } from "../domain/container.ts";
import type { Demand } from "../domain/function.ts";

export interface Scaling {
  /** Containers to start. */
  start: number;
  /** Containers to end, longest idle first. */
  drain: Container[];
  /** Idle containers that are not needed now, those to end among them: the room that they take can be had. */
  spare: Container[];
  /** When to look again even if nothing changes. */
  lookAgainAt: number | undefined;
}

/** `containers` are those of this function that are not gone. */
export function autoscale(demand: Demand, containers: readonly Container[], now: number): Scaling {
  const { policy } = demand;
  const active = containers.filter(({ state }) => takesInputs(state));
  // What a container still finishes while it drains needs no other one.
  const finishing = containers.reduce((sum, { state, held }) => sum + (state === "draining" ? held : 0), 0);
  const busy = Math.ceil((demand.queued + demand.claimed - finishing) / policy.targetConcurrency);
  const buffer = busy > 0 ? policy.bufferContainers : 0;
  const wanted = Math.min(policy.maxContainers, Math.max(policy.minContainers, busy + buffer));
  // One that drains is still there: a function of which there is to be one container never has two.
  const room = Math.max(0, policy.maxContainers - containers.length);
  const missing = Math.min(room, Math.max(0, wanted - active.length));
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
  if (missing > 0 && demand.notBefore > now) {
    const soonest = Math.min(demand.notBefore, lookAgainAt ?? Number.POSITIVE_INFINITY);
    return { start: 0, drain: due, spare, lookAgainAt: soonest };
  }
  return { start: missing, drain: due, spare, lookAgainAt };
}
