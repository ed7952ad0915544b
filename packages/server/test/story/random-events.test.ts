/**
 * Random sequences of everything that can happen: after every event the database is sound, and in the end every accepted
 * call has exactly one output, which is its own. A failure names its seed; the same seed gives the same events.
 */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";

import { GenericResult_GenericStatus as Status } from "@lydian/contract";

import { Chaos } from "../support/chaos.ts";

const seeds = [1, 2, 3, 4, 5, 6];
const stepsOfEach = 250;

/** Rounds of a second in which everything goes well: more than any deadline that may still be open. */
const mostRounds = 600;

for (const seed of seeds) {
  test(`${stepsOfEach} random events lose no call and answer none twice (seed ${seed})`, async () => {
    await using chaos = await Chaos.begin(seed);
    const { world } = chaos;
    try {
      await world.join();
      for (let i = 0; i < stepsOfEach; i++) {
        await chaos.step();
        world.check(`after step ${i}`);
        assertLimits(world.file);
      }
      for (let i = 0; i < mostRounds && !isQuiet(await world.counts()); i++) await chaos.heal();
      assert.deepEqual(await world.counts(), { queued: 0, claimed: 0, held: 0, unfinished: 0 });
      world.check("in the end");
      let right = 0;
      for (const { id, argument } of chaos.calls) {
        const outputs = await world.outputs(id);
        assert.equal(outputs.length, 1, `${id} has one output`);
        const { status, exception, dataOneof } = outputs[0]?.result ?? {};
        if (status === Status.SUCCESS) {
          assert.equal(new TextDecoder().decode(dataOneof?.value as Uint8Array), argument);
          right++;
        } else {
          assert.match(exception ?? "", /container|ran longer than/);
        }
      }
      assert.ok(chaos.calls.length > 5, "calls were made");
      assert.ok(right > 0, "some of them went well");
    } catch (error) {
      const last = chaos.history.slice(-25).join("\n  ");
      throw new Error(`seed ${seed}, after ${chaos.history.length} events, the last of them:\n  ${last}`, {
        cause: error,
      });
    }
  });
}

const isQuiet = ({ queued, claimed }: { queued: number; claimed: number }): boolean => queued + claimed === 0;

/** The function may have three containers that take inputs, and its worker holds no more than it can. */
function assertLimits(file: string): void {
  const database = new DatabaseSync(file, { readOnly: true });
  const query = `SELECT count(*) AS active FROM containers WHERE state IN ('assigned', 'starting', 'ready')`;
  const { active } = database.prepare(query).get() as { active: number };
  database.close();
  assert.ok(active <= 3, `${active} containers take inputs`);
}
