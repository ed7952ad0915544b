/** Which idle containers make room for those that are wanted and fit nowhere: a pure decision over values. */
import type { Container } from "../domain/container.ts";
import type { Demand } from "../domain/function.ts";
import type { Capacity, WorkerView } from "../domain/worker.ts";
import { fits } from "./place.ts";

/**
 * Answers the containers to end, those that have idled longest first, and no more than are needed. What is ending
 * already counts as room, so that looking again before it is gone ends nothing else. Containers that a function always
 * keeps are left alone.
 */
export function reclaim(
  requests: readonly Capacity[],
  workers: readonly WorkerView[],
  containers: readonly Container[],
  demands: readonly Demand[],
): Container[] {
  const room = workers.map(({ id, capacity }) => ({ id, ...capacity }));
  const give = (container: Container): void => {
    const worker = room.find(({ id }) => id === container.workerId);
    if (worker === undefined) return;
    worker.milliCpu += container.milliCpu;
    worker.memoryMib += container.memoryMib;
  };
  for (const container of containers) if (container.state === "draining") give(container);
  const idle = spare(containers, demands);
  const chosen: Container[] = [];
  for (const request of requests) {
    let host = room.find((worker) => fits(request, worker));
    while (host === undefined) {
      const victim = idle.shift();
      if (victim === undefined) return chosen;
      chosen.push(victim);
      give(victim);
      host = room.find((worker) => fits(request, worker));
    }
    host.milliCpu -= request.milliCpu;
    host.memoryMib -= request.memoryMib;
  }
  return chosen;
}

/** Idle containers beyond what their functions keep, longest idle first. */
function spare(containers: readonly Container[], demands: readonly Demand[]): Container[] {
  const kept = new Map(demands.map(({ functionId, policy }) => [functionId, policy.minContainers]));
  const idle = containers.filter(({ state, held }) => state === "ready" && held === 0);
  const newestFirst = idle.toSorted((a, b) => b.idleSince - a.idleSince);
  const free = newestFirst.filter(({ functionId }) => {
    const left = kept.get(functionId) ?? 0;
    kept.set(functionId, left - 1);
    return left <= 0;
  });
  return free.toReversed();
}
