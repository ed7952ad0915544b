/** Where containers go: a pure decision over values. */
import type { Container } from "../domain/container.ts";
import { add, type Ceilings, fullScope, type HeldBack, noCeilings } from "./ceilings.ts";
import {
  type Capacity,
  coversGpu,
  type Gpus,
  hasImage,
  largest,
  matchesPlace,
  type Needs,
  type Room,
  type WorkerView,
} from "../domain/worker.ts";

export interface Placement<Request> {
  request: Request;
  workerId: string;
  /** Which accelerators of the worker it takes. */
  gpus: Gpus | undefined;
}

export interface Placed<Request> {
  placements: Placement<Request>[];
  /** What would be too many of their app or environment. */
  held: HeldBack<Request>[];
  /** What no worker has room for. What only waits for other starts is not among them: its turn comes soon. */
  unplaced: Request[];
  /** What the workers then have left. */
  left: Room[];
  /** How many containers there then are, by the scope of their ceiling. */
  counts: ReadonlyMap<string, number>;
}

/** Gives each request, in order, the worker with the most free processor time that can hold it. */
export function place<Request extends Needs>(
  requests: readonly Request[],
  rooms: readonly Room[],
  ceilings: Ceilings<NoInfer<Request>> = noCeilings,
): Placed<Request> {
  let left = [...rooms];
  const counts = new Map(ceilings.counts);
  const placements: Placement<Request>[] = [];
  const held: HeldBack<Request>[] = [];
  const unplaced: Request[] = [];
  for (const request of requests) {
    const scopes = ceilings.scopesOf(request);
    const full = fullScope(scopes, counts);
    if (full !== undefined) {
      held.push({ request, full });
      continue;
    }
    const fitting = left.filter((room) => fits(request, room));
    if (fitting.length === 0) unplaced.push(request);
    const free = fitting.filter(({ starts }) => starts > 0);
    const best = free.toSorted((a, b) => b.capacity.milliCpu - a.capacity.milliCpu)[0];
    if (best === undefined) continue;
    const gpus = chooseGpus(request, best);
    placements.push({ request, workerId: best.id, gpus });
    for (const { id } of scopes) add(counts, id);
    const taken = take(best, { ...request, gpus });
    left = left.map((room) => (room === best ? { ...taken, starts: room.starts - 1 } : room));
  }
  return { placements, held, unplaced, left, counts };
}

/** What asks for more than the largest worker has gets what that has; its definition was answered with a warning. */
export function cutDown(needs: Needs, workers: readonly WorkerView[]): Needs {
  const most = largest(workers);
  const [milliCpu, memoryMib] = [Math.min(needs.milliCpu, most.milliCpu), Math.min(needs.memoryMib, most.memoryMib)];
  return workers.length === 0 ? needs : { ...needs, milliCpu, memoryMib };
}

/** Whether the container could be started there now. */
export function fits(needs: Needs, room: Room): boolean {
  const { milliCpu, memoryMib } = room.capacity;
  const hasGpus = needs.gpus.length === 0 || chooseGpus(needs, room) !== undefined;
  const hasRoom = milliCpu >= needs.milliCpu && memoryMib >= needs.memoryMib;
  return hasRoom && hasGpus && matchesPlace(needs, room.labels) && hasImage(needs, room);
}

/** The first of the accelerators that would do and that are free there. */
export function chooseGpus({ gpus }: Pick<Needs, "gpus">, room: Pick<Room, "gpus">): Gpus | undefined {
  for (const asked of gpus) {
    const free = room.gpus.find(({ kind, count }) => coversGpu(asked.kind, kind) && count >= asked.count);
    if (free !== undefined) return { kind: free.kind, count: asked.count };
  }
  return undefined;
}

export type Held = Capacity & { gpus: Gpus | undefined };

export function take(room: Room, held: Held): Room {
  return change(room, held, -1);
}

export function give(room: Room, held: Held): Room {
  return change(room, held, 1);
}

function change(room: Room, { milliCpu, memoryMib, gpus }: Held, sign: 1 | -1): Room {
  return {
    ...room,
    capacity: {
      milliCpu: room.capacity.milliCpu + sign * milliCpu,
      memoryMib: room.capacity.memoryMib + sign * memoryMib,
    },
    gpus: room.gpus.map((own) => (own.kind === gpus?.kind ? { ...own, count: own.count + sign * gpus.count } : own)),
  };
}

/** What a function of some app has, and wants beside that. */
export interface Turns<Of> {
  of: Of;
  appId: string;
  has: number;
  wants: number;
}

/**
 * Who has none comes first, or a function that others call could never answer them. Then it is the turn of the app that
 * has fewest, and in it of the function that has fewest: whoever asks for a hundred, or by a hundred functions, does not
 * stand before whoever asks for one.
 */
export function inTurn<Of>(wanted: readonly Turns<Of>[]): Of[] {
  const ofApps = new Map<string, number>();
  for (const { appId, has } of wanted) ofApps.set(appId, (ofApps.get(appId) ?? 0) + has);
  const byFunction = wanted
    .flatMap(({ of, appId, has, wants }) => Array.from({ length: wants }, (_, n) => ({ of, appId, turn: has + n })))
    .toSorted((a, b) => a.turn - b.turn);
  const byApp = byFunction.map(({ of, appId, turn }) => {
    const appTurn = ofApps.get(appId) ?? 0;
    ofApps.set(appId, appTurn + 1);
    return { of, later: turn === 0 ? 0 : 1, appTurn };
  });
  return byApp.toSorted((a, b) => a.later - b.later || a.appTurn - b.appTurn).map(({ of }) => of);
}

/**
 * What first containers of functions may take beyond a worker's capacity, as a share of it. A function whose containers wait
 * for another one's answers would else wait for ever where its own have taken all room. Processors are shared by weight, and
 * what asks for memory seldom uses all of it.
 */
const slackShare = { milliCpu: 1, memoryMib: 0.25 };

/** With what first containers may take besides; `-1` takes that back. */
export function lend(rooms: readonly Room[], sign: 1 | -1 = 1): Room[] {
  return rooms.map((room) => change(room, { ...room.slack, gpus: undefined }, sign));
}

/** How long a container's start counts as one, in milliseconds: what takes longer is not at work but waits. */
export const startCountsMs = 5_000;

/** What workers have left beside the containers that they hold. */
export function roomOf(workers: readonly WorkerView[], containers: readonly Container[], now: number): Room[] {
  return workers.map((worker) => {
    const own = containers.filter(({ workerId }) => workerId === worker.id);
    const starting = own.filter(
      ({ state, createdAt }) => (state === "assigned" || state === "starting") && createdAt + startCountsMs > now,
    );
    // An interpreter that starts keeps about one core busy.
    const starts = Math.ceil(worker.capacity.milliCpu / 1000) + 1 - starting.length;
    const { milliCpu, memoryMib } = worker.capacity;
    const slack = { milliCpu: milliCpu * slackShare.milliCpu, memoryMib: memoryMib * slackShare.memoryMib };
    return own.reduce<Room>(take, { ...worker, starts, slack });
  });
}
