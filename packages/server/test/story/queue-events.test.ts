/**
 * Random sequences of what can happen to a queue, deaths of the server at any write among them: every outcome is that of
 * lists in memory, so no item is lost, given twice or out of its order, nobody waits for what is there, and nobody is
 * given what is over. A failure names its seed; the same seed gives the same events.
 */
import assert from "node:assert/strict";
import { test } from "node:test";

import { QueueModel } from "../support/queue-model.ts";

const seeds = (process.env["LYDIAN_SEEDS"] ?? "1,2,3,4").split(",").map(Number);
const stepsOfEach = 150;

for (const seed of seeds) {
  test(`${stepsOfEach} random events leave a queue as lists would be (seed ${seed})`, async () => {
    await using model = await QueueModel.begin(seed);
    try {
      for (let i = 0; i < stepsOfEach; i++) await model.step();
      await model.finish();
      for (const what of ["put", "get", "wait", "look", "count", "clear", "kill", "doom", "pass", "share"]) {
        assert.ok((model.happened[what] ?? 0) > 0, `${what} happened`);
      }
    } catch (error) {
      const last = model.history.slice(-25).join("\n  ");
      throw new Error(`seed ${seed}, after ${model.history.length} events, the last of them:\n  ${last}`, {
        cause: error,
      });
    }
  });
}
