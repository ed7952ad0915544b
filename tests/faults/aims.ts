/** Who is to be killed and when: pure. */
import type { Random } from "@lydian/testkit";

import type { Moment, Part } from "./containers.ts";

export const victims = ["server", "worker", "conmon", "runc", "init"] as const satisfies ("server" | "worker" | Part)[];
export type Victim = (typeof victims)[number];

/** All of them, at once, at one of these moments in the life of a container. */
export interface Aim {
  readonly victims: readonly Victim[];
  readonly moments: readonly Moment[];
}

/** Moments of which any is as good as the others. */
type Stage = readonly Moment[];

/** Each comes as often as the others. */
export const startRunStop: readonly Stage[] = [["lay", "create", "import"], ["run", "idle"], ["stop"]];
export const mostlyRun: readonly Stage[] = [["create", "import"], ["run"], ["run"], ["run", "idle"]];

/**
 * How often in one round. An input fails when it was in three containers that crashed, and the stock client gives a
 * request up whose connection broke four times: in one round it must not come so far.
 */
const most: Partial<Record<Victim, number>> = { init: 2, server: 2 };

/** Rounds of one to several kills, until there were this many. */
export function* randomRounds(
  random: Random,
  kills: number,
  stages: readonly Stage[] = startRunStop,
): Generator<readonly Aim[]> {
  for (let planned = 0; planned < kills;) {
    const round: Aim[] = [];
    do round.push(randomAim(random, stages));
    while (!random.once(3));
    const kept = round.filter((aim, at) =>
      aim.victims.every((victim) => {
        const before = round.slice(0, at).filter(({ victims }) => victims.includes(victim)).length;
        return before < (most[victim] ?? Number.POSITIVE_INFINITY);
      }),
    );
    planned += kept.flatMap((aim) => aim.victims).length;
    yield kept;
  }
}

/** One victim in most cases; else the worker with it, or the server, or both. */
function randomAim(random: Random, stages: readonly Stage[]): Aim {
  const victim = random.pick(victims) ?? "worker";
  const others = (["worker", "server"] as const).filter(() => random.once(4));
  const stage = random.pick(stages) ?? [];
  return { victims: [...new Set([...others, victim])], moments: victim === "runc" ? ["create"] : stage };
}
