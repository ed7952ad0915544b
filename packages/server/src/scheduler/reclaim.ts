/** Which idle containers make room for those that are wanted and fit nowhere: a pure decision over values. */
import type { Container } from "../domain/container.ts";
import type { Demand } from "../domain/function.ts";
import type { Needs, Room } from "../domain/worker.ts";
import { chooseGpus, fits, give, take } from "./place.ts";

/**
 * Answers the containers to end, those that have idled longest first, and no more than are needed. What is ending
 * already counts as room, so that looking again before it is gone ends nothing else. Containers that a function always
 * keeps are left alone.
 */
export function reclaim(
  requests: readonly Needs[],
  rooms: readonly Room[],
  containers: readonly Container[],
  demands: readonly Demand[],
): Container[] {
  const giveBack = (to: Room[], container: Container): Room[] =>
    to.map((room) => (room.id === container.workerId ? give(room, container) : room));
  let left = containers.filter(({ state }) => state === "draining").reduce(giveBack, [...rooms]);
  let idle = spare(containers, demands);
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
      const needed = victims.filter(({ workerId }) => workerId === host.id);
      return { victims: needed, left: needed.reduce(giveBack, rooms), host };
    }
    const victim = idle[next];
    if (victim === undefined) return undefined;
    victims.push(victim);
    left = giveBack(left, victim);
  }
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
