/**
 * Images are used, collected and made again all the time, by several at once, while server and worker are killed: no run of
 * a client fails, and nothing is left behind. `LYDIAN_ROUNDS` says how many kills, `LYDIAN_SEED` when.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";

import { missingClient, modal, newestClient, Platform, runLydian, seededRandom, usualRuntime } from "@lydian/testkit";

import { ownCache } from "../faults/own-cache.ts";
import { soak } from "../faults/soak.ts";

const { rounds: kills, seed } = soak;
const skip = usualRuntime === "runc" ? missingClient(newestClient) : "there are no images here";
const unneeded = join(import.meta.dirname, "../clients/apps/unneeded.py");

if (skip === false) process.env["LYDIAN_CACHE"] = await ownCache();

test(`${kills} kills (seed ${seed}) between collections break no run`, { skip, timeout: 7_200_000 }, async (t) => {
  await using platform = await Platform.start({ starters: 1 });
  const random = seededRandom(seed);
  const counts = { runs: 0, collections: 0 };
  const end = new AbortController();
  const again = async (act: () => Promise<void>): Promise<void> => {
    while (!end.signal.aborted) await act();
  };
  const run = async (...args: string[]): Promise<string> => {
    await using program = modal(platform, newestClient, args);
    return await program.finishWith(0, 300_000);
  };
  const use = async (): Promise<void> => {
    assert.match(await run("run", `${unneeded}::passing.main`), /^passing: passing$/m);
    counts.runs++;
  };
  const collect = async (): Promise<void> => {
    await using gc = runLydian(["gc", "--unused-for", "0s", "--data", platform.data]);
    const { code } = await gc.finish(60_000);
    // Whom it asks may have been killed just now.
    assert.ok(code === 0 || /went away|does not answer/.test(gc.output), gc.output);
    counts.collections++;
  };
  const kill = async (): Promise<void> => {
    for (let round = 0; round < kills; round++) {
      await pause(5_000 + random.below(5_000)); // a build that is lost three times is given up
      await platform.kill(random.once(3) ? "server" : "worker");
    }
  };
  await run("deploy", `${unneeded}::kept`); // what both images stand on is needed from here on
  const others = [use, use, collect, collect].map(again);
  await Promise.race([kill(), ...others]).finally(() => end.abort());
  await Promise.all(others);
  assert.match(await run("run", `${unneeded}::asking.ask`), /^kept: kept$/m);
  t.diagnostic(`${counts.runs} runs, ${counts.collections} collections`);
});
