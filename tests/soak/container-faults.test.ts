/**
 * Kills at random moments of containers' lives during calls by the stock client: each call is answered, with the right
 * value, and nothing is left behind. `LYDIAN_ROUNDS` says how many kills, `LYDIAN_SEED` which,
 * `LYDIAN_STARTERS` how many warm starters wait.
 */
import { test } from "node:test";

import { missingClient, newestClient, seededRandom, temporaryFolder, usualRuntime } from "@lydian/testkit";

import { randomRounds, victims } from "../faults/aims.ts";
import { moments } from "../faults/containers.ts";
import { faultRun } from "../faults/fault-run.ts";
import { stopRound } from "../faults/stop-round.ts";
import { soak } from "../faults/soak.ts";
import { powerCut } from "../faults/power-cut.ts";

const { rounds: kills, seed, starters } = soak;
const timeout = 7_200_000;
const skip = usualRuntime === "runc" ? missingClient(newestClient) : "containers cannot run here";

test(`${kills} kills (seed ${seed}) lose no call, and leave nothing`, { skip, timeout }, async (t) => {
  await faultRun({
    clients: 2,
    rounds: randomRounds(seededRandom(seed), kills),
    starters,
    random: seededRandom(~seed), // another one: how often it is asked depends on the host
    say: (line) => t.diagnostic(line),
  });
});

const cuts = Math.ceil(kills / 10);

test(
  `all is killed at once ${cuts} times: the next platform on the folder answers what was called`,
  { skip, timeout },
  async () => {
    const random = seededRandom(seed);
    await using folder = await temporaryFolder();
    for (let cut = 0; cut < cuts; cut++) {
      const parts = (["conmon", "runc", "init"] as const).filter(() => random.once(3));
      await powerCut(folder.path, { calls: 4, afterMs: random.below(2000), parts });
    }
  },
);

test(
  `a platform is stopped ${cuts} times when parts of it are killed: nothing is left`,
  { skip, timeout },
  async () => {
    const random = seededRandom(seed);
    for (let stop = 0; stop < cuts; stop++) {
      await stopRound({
        moments: [random.pick(moments) ?? "run"],
        victims: victims.filter(() => random.once(3)),
        stopAfterMs: random.below(1500) - 1000,
      });
    }
  },
);
