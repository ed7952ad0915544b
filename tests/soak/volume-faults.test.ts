/**
 * Kills of worker, server and containers at random moments of commits and reloads. `LYDIAN_ROUNDS` says how many, `LYDIAN_SEED` when.
 */
import { test } from "node:test";

import { missingClient, newestClient, Platform, seededRandom, usualRuntime } from "@lydian/testkit";

import { soak } from "../faults/soak.ts";
import { volumeRun } from "../faults/volume-run.ts";

const { rounds, seed } = soak;
const skip = usualRuntime === "runc" ? missingClient(newestClient) : "containers cannot run here";

test(`${rounds} kills (seed ${seed}) lose no commit and tear none`, { skip, timeout: 3_600_000 }, async () => {
  await using platform = await Platform.start({ runtime: "runc", args: ["--log-level", "error"] });
  await volumeRun(platform, rounds, seededRandom(seed));
});
