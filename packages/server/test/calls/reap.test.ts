/** What nobody will ask for again is forgotten in time, and not before. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { silentLogger } from "@lydian/kit";
import { turns } from "@lydian/testkit";

import { acknowledge } from "../../src/calls/await.ts";
import { failUnfinished } from "../../src/calls/sweep.ts";
import { Reaper } from "../../src/calls/reap.ts";
import { timesSchema } from "../../src/config.ts";
import { type TestStore, testStore } from "../support/open-store.ts";
import { plantCall, plantContainer, plantFunction } from "../support/rows.ts";

const times = timesSchema.parse({});
const dayMs = 86_400_000;
const sweepUploads = async (): Promise<void> => {};

/** One call that finished, one that was acknowledged, one that waits. */
async function threeCalls(test: TestStore) {
  return await test.does(async (tx, context) => {
    const of = await plantFunction(tx, context);
    const finished = await plantCall(tx, of, context);
    const acknowledged = await plantCall(tx, of, context);
    await failUnfinished(tx, { waitingFor: of.id }, { status: "failure", message: "x" }, context);
    await acknowledge(tx, acknowledged.callId, context.now);
    const waiting = await plantCall(tx, of, context);
    await tx.replies.keep("key", new Uint8Array(), context.now);
    return { of, finished: finished.callId, acknowledged: acknowledged.callId, waiting: waiting.callId };
  });
}

test("acknowledged calls go soon, others after their term, and what waits stays", async () => {
  await using test = await testStore();
  const calls = await threeCalls(test);
  const reaper = new Reaper({ store: test.store, clock: test.clock, times, log: silentLogger, sweepUploads });
  reaper.start();
  const left = () =>
    test.store.read(async (tx) => {
      const names: string[] = [];
      for (const name of ["finished", "acknowledged", "waiting"] as const) {
        if ((await tx.calls.get(calls[name])) !== undefined) names.push(name);
      }
      return [...names, ...((await tx.replies.find("key")) === undefined ? [] : ["reply"])];
    });
  await test.clock.advance(times.replyKept);
  assert.deepEqual(await left(), ["finished", "acknowledged", "waiting", "reply"]);
  await test.clock.advance(60_000);
  assert.deepEqual(await left(), ["finished", "waiting"]);
  await test.store.read(async (tx) => {
    assert.deepEqual(await tx.outputs.after(calls.acknowledged, 0, 9), []);
    assert.equal((await tx.outputs.after(calls.finished, 0, 9)).length, 1);
  });
  await reaper.close();
  await test.clock.advance(times.resultKept + 60_000);
  assert.deepEqual(await left(), ["finished", "waiting"], "nothing is forgotten after close");
  reaper.start();
  await reaper.close();
  assert.equal(test.clock.pending, 0);
});

test("unacknowledged results and containers go after their terms", async () => {
  await using test = await testStore();
  const { of, finished, waiting } = await threeCalls(test);
  const gone = await test.does((tx, context) =>
    plantContainer(tx, of, context, { state: "gone", goneAt: context.now, goneReason: "x" }),
  );
  const reaper = new Reaper({
    store: test.store,
    clock: test.clock,
    times: { ...times, resultKept: dayMs },
    log: silentLogger,
    sweepUploads,
  });
  await test.clock.advance(dayMs - 1);
  reaper.start();
  const left = () =>
    test.store.read(async (tx) => [
      (await tx.calls.get(finished)) !== undefined,
      (await tx.calls.get(waiting)) !== undefined,
      (await tx.containers.get(gone.id)) !== undefined,
    ]);
  assert.deepEqual(await left(), [true, true, true]);
  await test.clock.advance(60_000);
  assert.deepEqual(await left(), [false, true, true]);
  await reaper.close();
  await test.clock.advance(7 * dayMs);
  const second = new Reaper({ store: test.store, clock: test.clock, times, log: silentLogger, sweepUploads });
  second.start();
  await test.clock.advance(60_000);
  await second.close();
  assert.deepEqual(await left(), [false, true, false]);
});

test("many are forgotten in portions within one round", async () => {
  await using test = await testStore();
  await test.store.write(async (tx) => {
    for (let i = 0; i < 1_200; i++) await tx.replies.keep(`k${i}`, new Uint8Array(), 0);
  });
  const reaper = new Reaper({ store: test.store, clock: test.clock, times, log: silentLogger, sweepUploads });
  reaper.start();
  await test.clock.advance(60_000);
  await reaper.close();
  assert.equal(await test.store.read((tx) => tx.replies.find("k1199")), undefined);
});

test("uploads that were given up are swept with the time before which they began", async () => {
  await using test = await testStore();
  const sweeps: number[] = [];
  const note = async (before: number): Promise<void> => void sweeps.push(before);
  const reaper = new Reaper({ store: test.store, clock: test.clock, times, log: silentLogger, sweepUploads: note });
  reaper.start();
  await test.clock.advance(60_000);
  await turns(); // a round is many units of work
  await test.clock.advance(60_000);
  await reaper.close();
  assert.deepEqual(sweeps, [test.clock.now() - 60_000 - dayMs, test.clock.now() - dayMs]);
});
