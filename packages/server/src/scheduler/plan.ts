/** What is to start and to end in one pass, from what is wanted and what there is: pure decisions, put together. */
import type { Container } from "../domain/container.ts";
import type { Needs, Room } from "../domain/worker.ts";
import { type Ceilings, type HeldBack, makeWay } from "./ceilings.ts";
import { lend, place, type Placement } from "./place.ts";
import { reclaim, reserve } from "./reclaim.ts";

/** `isFirst` of a function that has no container yet. */
export type Wanted = Needs & { appId: string; isFirst: boolean };

export interface Given<Request> {
  rooms: readonly Room[];
  containers: readonly Container[];
  ceilings: Ceilings<{ appId: string }>;
  /** Who ends for a request, those first that end first. */
  candidates: (request: Request) => readonly Container[];
}

export interface Plan<Request> {
  placements: Placement<Request>[];
  held: HeldBack<Request>[];
  unplaced: Request[];
  /** Containers to end, so that there is room later. */
  ending: Container[];
}

/** First containers come first and may take the workers' slack, and room that is being made for them goes to nobody else, however long that takes. */
export function plan<Request extends Wanted>(
  requests: readonly Request[],
  given: Given<NoInfer<Request>>,
): Plan<Request> {
  const { rooms, containers, ceilings, candidates } = given;
  const firsts = requests.filter(({ isFirst }) => isFirst);
  const others = requests.filter(({ isFirst }) => !isFirst);
  const first = place(firsts, lend(rooms), ceilings);
  const forFirsts = reclaim(first.unplaced, first.left, containers, candidates);
  const other = place(others, reserve(lend(first.left, -1), forFirsts.hosted), { ...ceilings, counts: first.counts });
  const ending = new Set(forFirsts.ending);
  const then = containers.map((each) => (ending.has(each) ? { ...each, state: "draining" as const } : each));
  const left = (request: Request): Container[] => candidates(request).filter((each) => !ending.has(each));
  const forOthers = reclaim(other.unplaced, other.left, then, left);
  const held = [...first.held, ...other.held];
  const forRoom = [...forFirsts.ending, ...forOthers.ending];
  const leaving = [...containers.filter(({ state }) => state === "draining"), ...forRoom];
  return {
    placements: [...first.placements, ...other.placements],
    held,
    unplaced: [...first.unplaced, ...other.unplaced],
    ending: [...forRoom, ...makeWay(held, leaving, candidates, ceilings.scopesOf)],
  };
}
