/** Which containers make room for those that are wanted and fit nowhere: a pure decision over values. */
import { type Container, takesInputs } from "../domain/container.ts";
import type { Demand } from "../domain/function.ts";
import type { Needs, Room } from "../domain/worker.ts";
import { chooseGpus, fits, give, type Held, take } from "./place.ts";

/**
 * Who ends for a request: containers that their functions can do without, those first that have idled longest. For the
 * first container of a function also busy ones, which end when they have finished what they hold: of functions that have
 * several, those first that have most, and never their last one or those that are always kept.
 */
export function candidatesFrom(
  spare: readonly Container[],
  demands: readonly Demand[],
  containers: readonly Container[],
): (request: { isFirst: boolean }) => readonly Container[] {
  const idle = spare.toSorted((a, b) => a.idleSince - b.idleSince);
  const active = Map.groupBy(
    containers.filter(({ state }) => takesInputs(state)),
    ({ functionId }) => functionId,
  );
  const beyondOne = demands.flatMap(({ functionId, policy }) =>
    (active.get(functionId) ?? [])
      .map((container, turn) => ({ container, turn }))
      .slice(Math.max(1, policy.minContainers)),
  );
  const busy = beyondOne
    .filter(({ container: { state, held } }) => state === "ready" && held > 0)
    .toSorted((a, b) => b.turn - a.turn)
    .map(({ container }) => container);
  return ({ isFirst }) => (isFirst ? [...idle, ...busy] : idle);
}

/** What is going to run where, once there is room. */
interface Hosted {
  takes: Held;
  workerId: string;
}

/** What the workers have left for others than those that wait for room on them: less than nothing, while it is made. */
export function reserve(rooms: readonly Room[], hosted: readonly Hosted[]): Room[] {
  return hosted.reduce<Room[]>(
    (left, { takes, workerId }) => left.map((room) => (room.id === workerId ? take(room, takes) : room)),
    [...rooms],
  );
}

/**
 * Answers the containers to end: the first of the request's candidates, and no more than are needed. What is ending already
 * counts as room, so that looking again before it is gone ends nothing else.
 */
export function reclaim<Request extends Needs>(
  requests: readonly Request[],
  rooms: readonly Room[],
  containers: readonly Container[],
  candidates: (request: NoInfer<Request>) => readonly Container[],
): { ending: Container[]; hosted: Hosted[] } {
  const giveBack = (to: Room[], container: Container): Room[] =>
    to.map((room) => (room.id === container.workerId ? give(room, container) : room));
  let left = containers.filter(({ state }) => state === "draining").reduce(giveBack, [...rooms]);
  const chosen: Container[] = [];
  const hosted: Hosted[] = [];
  for (const request of requests) {
    const able = candidates(request).filter((container) => !chosen.includes(container));
    const made = makeRoom(request, left, able, giveBack);
    if (made === undefined) continue; // ending all of them would not do
    chosen.push(...made.victims);
    const { host } = made;
    const takes = { ...request, gpus: chooseGpus(request, host) };
    hosted.push({ takes, workerId: host.id });
    left = made.left.map((room) => (room.id === host.id ? take(room, takes) : room));
  }
  return { ending: chosen, hosted };
}

function makeRoom(
  request: Needs,
  rooms: Room[],
  able: readonly Container[],
  giveBack: (to: Room[], container: Container) => Room[],
): { victims: Container[]; left: Room[]; host: Room } | undefined {
  const victims: Container[] = [];
  let left = rooms;
  for (let next = 0; ; next++) {
    const host = left.find((room) => fits(request, room));
    if (host !== undefined) {
      const own = victims.filter(({ workerId }) => workerId === host.id);
      const needed = own.reduce((kept, victim) => {
        // A larger one that came later may have made it needless.
        const others = kept.filter((each) => each !== victim);
        const without = others.reduce(giveBack, rooms).find(({ id }) => id === host.id);
        return without !== undefined && fits(request, without) ? others : kept;
      }, own);
      left = needed.reduce(giveBack, rooms);
      return { victims: needed, left, host: left.find(({ id }) => id === host.id) ?? host };
    }
    const victim = able[next];
    if (victim === undefined) return undefined;
    victims.push(victim);
    left = giveBack(left, victim);
  }
}
