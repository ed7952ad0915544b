/**
 * Kills of the server at random moments while items go through queues and dicts. `LYDIAN_ROUNDS` says how many,
 * `LYDIAN_SEED` when.
 */
import { test } from "node:test";

import { Platform, missingClient, newestClient, seededRandom } from "@lydian/testkit";

import { soak } from "../faults/soak.ts";
import { stateRun } from "../faults/state-run.ts";

const { rounds, seed } = soak;

test(
  `${rounds} kills (seed ${seed}) lose no item and double none`,
  { skip: missingClient(newestClient), timeout: 3_600_000 },
  async () => {
    await using platform = await Platform.start({ args: ["--log-level", "error"] });
    await stateRun(platform, rounds, seededRandom(seed));
  },
);
