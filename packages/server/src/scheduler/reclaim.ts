/** Which spare containers make room for those that are wanted and fit nowhere: a pure decision over values. */
import type { Container } from "../domain/container.ts";
import type { Needs, Room } from "../domain/worker.ts";
import { chooseGpus, fits, give, take } from "./place.ts";

/**
 * Answers the containers to end: of those that their functions can do without the ones that have idled longest, and no
 * more than are needed. What is ending already counts as room, so that looking again before it is gone ends nothing else.
 */
export function reclaim(
  requests: readonly Needs[],
  rooms: readonly Room[],
  containers: readonly Container[],
  spare: readonly Container[],
): Container[] {
  const giveBack = (to: Room[], container: Container): Room[] =>
    to.map((room) => (room.id === container.workerId ? give(room, container) : room));
  let left = containers.filter(({ state }) => state === "draining").reduce(giveBack, [...rooms]);
  let idle = spare.toSorted((a, b) => a.idleSince - b.idleSince);
  const chosen: Container[] = [];
  for (const request of requests) {
    const made = makeRoom(request, left, idle, giveBack);
    if (made === undefined) continue; // ending all that idles would not do
    chosen.push(...made.victims);
    idle = idle.filter((container) => !made.victims.includes(container));
    const { host } = made;
    left = made.left.map((room) =>
      room.id === host.id ? take(room, { ...request, gpus: chooseGpus(request, host) }) : room,
    );
  }
  return chosen;
}

function makeRoom(
  request: Needs,
  rooms: Room[],
  idle: readonly Container[],
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
    const victim = idle[next];
    if (victim === undefined) return undefined;
    victims.push(victim);
    left = giveBack(left, victim);
  }
}
