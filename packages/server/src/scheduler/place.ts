/** Where containers go: a pure decision over values. */
import type { Capacity, WorkerView } from "../domain/worker.ts";

export interface Placement<Request> {
  request: Request;
  workerId: string;
}

/**
 * Gives each request, in order, the worker with the most free processor time that can hold it; requests that no worker
 * can hold now are left out. Workers' capacities are what is free already.
 */
export function place<Request extends Capacity>(
  requests: readonly Request[],
  workers: readonly WorkerView[],
): Placement<Request>[] {
  const free = workers.map(({ id, capacity }) => ({ id, ...capacity }));
  const placements: Placement<Request>[] = [];
  for (const request of requests) {
    const fitting = free.filter((w) => w.milliCpu >= request.milliCpu && w.memoryMib >= request.memoryMib);
    const best = fitting.toSorted((a, b) => b.milliCpu - a.milliCpu)[0];
    if (best === undefined) continue;
    best.milliCpu -= request.milliCpu;
    best.memoryMib -= request.memoryMib;
    placements.push({ request, workerId: best.id });
  }
  return placements;
}

/** What workers have left beside the containers that they hold. */
export function freeCapacity(
  workers: readonly WorkerView[],
  containers: readonly (Capacity & { workerId: string })[],
): WorkerView[] {
  return workers.map(({ id, capacity }) => {
    const own = containers.filter(({ workerId }) => workerId === id);
    const sum = (key: keyof Capacity): number => own.reduce((total, container) => total + container[key], 0);
    return {
      id,
      capacity: { milliCpu: capacity.milliCpu - sum("milliCpu"), memoryMib: capacity.memoryMib - sum("memoryMib") },
    };
  });
}
