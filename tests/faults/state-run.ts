/** Kills of the server while a stock client puts, gets and pops: nothing is lost, nothing comes twice. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

import type { Platform, Random } from "@lydian/testkit";

import { Caller } from "./caller.ts";

const script = join(import.meta.dirname, "state_stream.py");

/** Items of each of three producers, in the stretch of one kill. */
const items = 20;

export async function stateRun(platform: Platform, kills: number, random: Random): Promise<void> {
  await using client = new Caller(platform, script);
  assert.equal(await client.ask(String(items), "moved"), `moved ${items}`);
  for (let round = 1; round <= kills; round++) {
    const moved = client.ask(String(items), "moved");
    await pause(random.below(400)); // anywhere in the stretch
    const server = await platform.kill("server");
    assert.equal(await moved, `moved ${(1 + round) * items}`);
    await platform.replaced("server", server);
  }
  assert.equal(await client.ask(undefined, "stopped after"), `stopped after ${(1 + kills) * items}`);
  await client.end();
}
