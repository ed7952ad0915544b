/** How many containers a function should have: a pure decision over values. */
import type { Container } from "../domain/container.ts";
import { takesInputs } from "../domain/container.ts";
import type { Demand } from "../domain/function.ts";

export interface Scaling {
  /** Containers to start. */
  start: number;
  /** Containers to end, longest idle first. */
  drain: Container[];
  /** When to look again even if nothing changes. */
  lookAgainAt: number | undefined;
}

/** `containers` are those of this function that are not gone. */
export function autoscale(demand: Demand, containers: readonly Container[], now: number): Scaling {
  const { policy } = demand;
  const active = containers.filter(({ state }) => takesInputs(state));
  const busy = Math.ceil((demand.queued + demand.claimed) / policy.concurrency);
  const wanted = Math.min(policy.maxContainers, Math.max(policy.minContainers, busy));
  if (active.length < wanted) {
    if (demand.notBefore > now) return { start: 0, drain: [], lookAgainAt: demand.notBefore };
    return { start: wanted - active.length, drain: [], lookAgainAt: undefined };
  }
  const idle = active
    .filter(({ state, held }) => state === "ready" && held === 0)
    .toSorted((a, b) => a.idleSince - b.idleSince)
    .slice(0, active.length - wanted);
  const due = idle.filter(({ idleSince }) => idleSince + policy.scaledownMs <= now);
  const next = idle[due.length];
  return { start: 0, drain: due, lookAgainAt: next && next.idleSince + policy.scaledownMs };
}
