/**
 * Kills at random moments during maps, spawns, generators and methods, about 10,000 inputs: each has one result, in order,
 * and runs again only if its container was killed. `LYDIAN_ROUNDS` says how many kills, `LYDIAN_SEED` which,
 * `LYDIAN_STARTERS` how many warm starters wait.
 */
import { test } from "node:test";

import { missingClient, newestClient, seededRandom, usualRuntime } from "@lydian/testkit";

import { mostlyRun, randomRounds } from "../faults/aims.ts";
import { faultRun } from "../faults/fault-run.ts";
import { soak } from "../faults/soak.ts";

const { rounds: kills, seed, starters } = soak;
const skip = usualRuntime === "runc" ? missingClient(newestClient) : "containers cannot run here";

test(`${kills} kills (seed ${seed}) lose, double and disorder nothing`, { skip, timeout: 7_200_000 }, async (t) => {
  await faultRun({
    clients: 1,
    // `once`, so that some container is always starting and some ending.
    args: ["--calls", "map,spawn,method,generator,once", "--batches", "4"],
    rounds: randomRounds(seededRandom(seed), kills, mostlyRun),
    starters,
    random: seededRandom(~seed), // another one: how often it is asked depends on the host
    say: (line) => t.diagnostic(line),
  });
});
