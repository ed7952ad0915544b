/** Where containers go: a pure decision over values. */
import type { Container } from "../domain/container.ts";
import type { Capacity, Room, WorkerView } from "../domain/worker.ts";

export interface Placement<Request> {
  request: Request;
  workerId: string;
}

export interface Placed<Request> {
  placements: Placement<Request>[];
  /** What no worker has room for. What only waits for other starts is not among them: its turn comes soon. */
  unplaced: Request[];
  /** What the workers then have left. */
  free: WorkerView[];
}

/** Gives each request, in order, the worker with the most free processor time that can hold it. */
export function place<Request extends Capacity>(
  requests: readonly Request[],
  workers: readonly Room[],
): Placed<Request> {
  const free = workers.map(({ id, capacity, starts }) => ({ id, ...capacity, starts }));
  const placements: Placement<Request>[] = [];
  const unplaced: Request[] = [];
  for (const request of requests) {
    const fitting = free.filter((worker) => fits(request, worker));
    if (fitting.length === 0) unplaced.push(request);
    const best = fitting.filter(({ starts }) => starts > 0).toSorted((a, b) => b.milliCpu - a.milliCpu)[0];
    if (best === undefined) continue;
    best.starts -= 1;
    best.milliCpu -= request.milliCpu;
    best.memoryMib -= request.memoryMib;
    placements.push({ request, workerId: best.id });
  }
  const left = free.map(({ id, milliCpu, memoryMib }) => ({ id, capacity: { milliCpu, memoryMib } }));
  return { placements, unplaced, free: left };
}

export function fits(request: Capacity, free: Capacity): boolean {
  return free.milliCpu >= request.milliCpu && free.memoryMib >= request.memoryMib;
}

/**
 * One request of each in turn, those first that have fewest: whoever asks for a hundred does not stand before whoever
 * asks for one.
 */
export function inTurn<Of>(wanted: readonly { of: Of; has: number; wants: number }[]): Of[] {
  const turns = wanted.flatMap(({ of, has, wants }) =>
    Array.from({ length: wants }, (_, n) => ({ of, turn: has + n })),
  );
  return turns.toSorted((a, b) => a.turn - b.turn).map(({ of }) => of);
}

/** How long a container's start counts as one, in milliseconds: what takes longer is not at work but waits. */
export const startCountsMs = 5_000;

/** What workers have left beside the containers that they hold. */
export function roomOf(workers: readonly WorkerView[], containers: readonly Container[], now: number): Room[] {
  return workers.map(({ id, capacity }) => {
    const own = containers.filter(({ workerId }) => workerId === id);
    const sum = (key: keyof Capacity): number => own.reduce((total, container) => total + container[key], 0);
    const starting = own.filter(
      ({ state, createdAt }) => (state === "assigned" || state === "starting") && createdAt + startCountsMs > now,
    );
    return {
      id,
      capacity: { milliCpu: capacity.milliCpu - sum("milliCpu"), memoryMib: capacity.memoryMib - sum("memoryMib") },
      // An interpreter that starts keeps about one core busy.
      starts: Math.ceil(capacity.milliCpu / 1000) + 1 - starting.length,
    };
  });
}
