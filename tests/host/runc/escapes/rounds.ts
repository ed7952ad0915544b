/** Runs attempts in containers from which guards are taken away: one container for each set of guards. */
import assert from "node:assert/strict";
import { cp, readFile } from "node:fs/promises";
import { join } from "node:path";

import { outputOf, type Rig } from "../rig.ts";
import type { Canaries } from "./canaries.ts";
import { type Guard, hostCapabilities, takeAway } from "./guards.ts";
import { type Way, ways } from "./ways.ts";

export interface Verdict {
  readonly verdict: "open" | "closed" | "broken";
  readonly detail: string;
}

/** The program of the attempts; Python takes it by this name from the folder that has it. */
export const program = join(import.meta.dirname, "ways_out");

/** In a container of its own. */
export async function tryAll(
  rig: Rig,
  canaries: object,
  amend: Rig["guards"]["amend"],
  names: readonly string[],
): Promise<Map<string, Verdict>> {
  const place = await rig.place();
  rig.guards.amend = amend;
  try {
    const layout = await rig.lay(place);
    await cp(program, layout.hostPath("/root/ways_out"), { recursive: true });
    await layout.showFiles?.();
    await layout.addFile("shown", Buffer.from("the platform's\n"));
    const process = await rig.start(place, `exec python3 -m ways_out '${JSON.stringify(canaries)}' ${names.join(" ")}`);
    const end = await process.end;
    const log = await readFile(place.logFile, "utf8");
    assert.deepEqual(end, { reason: "exited", code: 0 }, log);
    const lines = outputOf(log).trim().split("\n");
    return new Map(lines.map((line) => JSON.parse(line) as Verdict & { name: string }).map((one) => [one.name, one]));
  } finally {
    rig.guards.amend = (spec) => spec;
    await rig.runtime.clear(place);
  }
}

/** What a way is tried without: nothing; each set that opens it; and each of these sets with one guard put back. */
export function roundsOf({ opens }: Way, hasUserNamespace: boolean): readonly (readonly Guard[])[] {
  const possible = opens.flatMap((set) => [set, ...set.map((kept) => set.filter((guard) => guard !== kept))]);
  return [[], ...possible].map((set) => {
    const others = set.filter((guard) => guard !== "userNamespace");
    return hasUserNamespace ? others : [...others, "userNamespace"];
  });
}

export const isOpen = ({ opens }: Way, without: readonly Guard[]): boolean =>
  opens.some((set) => set.every((guard) => without.includes(guard)));

/** Why it cannot be opened here whatever is taken away, as far as that is known beforehand. */
export const lacking = ({ needs }: Way): string | undefined =>
  needs === undefined || hostCapabilities.includes(needs) ? undefined : `this host's root has no ${needs}`;

/** Each round is run once, when it is first asked for, with the ways that are to be tried in it. */
export class Rounds {
  readonly #rig: Rig;
  readonly #canaries: Canaries;
  readonly #hasUserNamespace: boolean;
  readonly #results = new Map<string, Promise<Map<string, Verdict>>>();

  constructor(rig: Rig, canaries: Canaries, hasUserNamespace: boolean) {
    this.#rig = rig;
    this.#canaries = canaries;
    this.#hasUserNamespace = hasUserNamespace;
  }

  async verdict(name: string, without: readonly Guard[]): Promise<Verdict> {
    const round = key(without);
    let results = this.#results.get(round);
    if (results === undefined) {
      const isTried = ([, way]: [string, Way]): boolean =>
        roundsOf(way, this.#hasUserNamespace).some((other) => key(other) === round);
      const names = Object.entries(ways)
        .filter(isTried)
        .map(([name]) => name);
      results = tryAll(this.#rig, this.#canaries, takeAway(without), names);
      this.#results.set(round, results);
    }
    const verdict = (await results).get(name);
    assert.ok(verdict, `there is no attempt ${name}`);
    return verdict;
  }
}

const key = (without: readonly Guard[]): string => without.toSorted().join();

/** Every set that any way is tried without, once. */
export function allRounds(hasUserNamespace: boolean): readonly (readonly Guard[])[] {
  const rounds = Object.values(ways).flatMap((way) => roundsOf(way, hasUserNamespace));
  return [...new Map(rounds.map((without) => [key(without), without])).values()];
}
