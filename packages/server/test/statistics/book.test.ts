/** What happens is counted by the minute, is in the store a little later, and goes in time. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { silentLogger } from "@lydian/kit";

import { acknowledge } from "../../src/calls/await.ts";
import { claimInputs } from "../../src/calls/claim.ts";
import { completeInputs } from "../../src/calls/complete.ts";
import { Reaper } from "../../src/calls/reap.ts";
import { forgetCall } from "../../src/calls/sweep.ts";
import { timesSchema } from "../../src/config.ts";
import { advance } from "../../src/containers/begin.ts";
import { endContainer } from "../../src/containers/end.ts";
import type { Happening } from "../../src/domain/happening.ts";
import type { PastRequest } from "../../src/domain/statistics.ts";
import { quantile } from "../../src/domain/tally.ts";
import { StatisticsBook } from "../../src/statistics/book.ts";
import { pastByBuckets, pastOf } from "../../src/statistics/past.ts";
import { bucketsOf } from "../../src/statistics/span.ts";
import { testStore } from "../support/open-store.ts";
import { claimRequest, completion, failed, plantContainer, plantFunction, plantMap } from "../support/rows.ts";

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

/** Its clock stands at the beginning of an hour. */
async function scene() {
  const book: { hear(happening: Happening): void } = { hear: () => {} };
  const test = await testStore((happening) => book.hear(happening));
  await test.clock.advance(hour - (test.clock.now() % hour));
  const statistics = new StatisticsBook({ ...test, log: silentLogger });
  book.hear = (happening) => statistics.hear(happening);
  const of = await test.does((tx, context) => plantFunction(tx, context));
  const functionIds = [of.id];
  return {
    ...test,
    ...{ statistics, of, functionIds },
    /** A map of two that take 100 ms, of which one fails. */
    async works() {
      const made = await test.does(async (tx, context) => {
        const { callId, inputIds } = await plantMap(tx, of, context, 2);
        const { id } = await plantContainer(tx, of, context);
        await claimInputs(tx, claimRequest(id, { atMost: 2 }), context);
        return { callId, inputIds, containerId: id };
      });
      await test.clock.advance(100);
      const [first = "", second = ""] = made.inputIds;
      await test.does((tx, context) =>
        completeInputs(tx, made.containerId, [completion(first), failed(second)], context),
      );
      return made;
    },
    past: (since: number, until: number, containerId?: string) =>
      test.store.read((tx) => pastOf(tx, { functionIds, containerId }, { since, until })),
  };
}

test("inputs are counted by the minute in which they end, by function and by container", async () => {
  await using it = await scene();
  const begun = it.clock.now();
  const first = await it.works();
  await it.clock.advance(minute);
  await it.works();
  await it.statistics.flush();
  const [now, all] = [it.clock.now(), await it.past(begun, it.clock.now())];
  assert.deepEqual([all.tally.succeeded, all.tally.failed, all.containers.total], [2, 2, 2]);
  assert.ok(Math.abs((quantile(all.tally.ran, 0.5) ?? 0) - 100) < 5);
  const own = await it.past(begun, now, first.containerId);
  assert.deepEqual([own.tally.succeeded, own.containers.total], [1, 1]);
  assert.equal((await it.past(begun + minute, now)).tally.succeeded, 1);
  const buckets = bucketsOf({ since: begun, until: begun + 3 * minute }, 60);
  const tallies = await it.store.read((tx) => pastByBuckets(tx, it, buckets));
  assert.deepEqual(
    tallies.map(({ succeeded }) => succeeded),
    [1, 1, 0],
  );
});

test("nobody has to ask for it to be in the store, and it is added to what is there", async () => {
  await using it = await scene();
  const begun = it.clock.now();
  await it.works();
  assert.equal((await it.past(begun, begun + minute)).tally.succeeded, 0);
  await it.clock.advance(10_000);
  assert.equal((await it.past(begun, begun + minute)).tally.succeeded, 1);
  await it.works();
  await it.statistics.close();
  assert.equal((await it.past(begun, begun + minute)).tally.succeeded, 2);
});

test("containers are counted when they are ready, and when their end is an error", async () => {
  await using it = await scene();
  const begun = it.clock.now();
  const plant = () => it.does((tx, context) => plantContainer(tx, it.of, context, { state: "starting" }));
  const [good, bad, late] = [await plant(), await plant(), await plant()];
  await it.clock.advance(2_000);
  await it.does((tx, context) => advance(tx, good.id, "ready", context));
  await it.does((tx, context) => endContainer(tx, bad.id, { reason: "exited", code: 0 }, context));
  await it.statistics.flush();
  await it.clock.advance(1);
  const { tally, containers } = await it.past(begun, it.clock.now());
  assert.deepEqual([tally.started, tally.errors], [1, 1]);
  assert.deepEqual({ ...containers }, { total: 3, creating: 1 }, late.id);
  assert.ok(Math.abs((quantile(tally.startup, 0.5) ?? 0) - 2_000) < 100);
  await it.does((tx, context) => endContainer(tx, good.id, { reason: "stopped" }, context));
  await it.statistics.flush();
  assert.equal((await it.past(begun, it.clock.now())).tally.errors, 1, "what the platform stops is no error");
});

test("what a call was can be listed when the call is forgotten, and once while it is not", async () => {
  await using it = await scene();
  const begun = it.clock.now();
  const { callId } = await it.works();
  await it.statistics.flush();
  const read = () => it.store.read((tx) => tx.callHistory.newest(it.functionIds, 10));
  assert.equal((await read()).length, 2);
  const running = (at: number) => it.store.read((tx) => tx.callHistory.running(it.functionIds, at));
  assert.deepEqual([await running(begun), await running(begun + 50), await running(begun + 101)], [0, 2, 0]);
  await it.does(async (tx, { now }) => {
    await acknowledge(tx, callId, now);
    await forgetCall(tx, callId);
  });
  assert.deepEqual(
    (await read()).map(({ outcome, endedAt, startedAt }) => [outcome, startedAt, endedAt]),
    [
      ["failure", begun, begun + 100],
      ["success", begun, begun + 100],
    ],
  );
  const span = { functionIds: it.functionIds, since: begun, until: begun + minute };
  const counts = await it.store.read((tx) => tx.callHistory.counts(span, minute));
  assert.deepEqual(counts, [{ bucket: 0, inputs: 2 }]);
});

test("of requests the last thousand are kept, without what has not been answered for longer", async () => {
  await using it = await scene();
  const request = (at: number): PastRequest => ({
    ...{ functionId: it.of.id, at, route: "/", containerId: "ta-1", ms: 5, status: at % 2 === 0 ? 200 : 404 },
  });
  for (let at = 0; at < 3_500; at++) it.statistics.hear({ kind: "requestAnswered", request: request(at) });
  await it.statistics.flush();
  const kept = await it.store.read((tx) => tx.statistics.newestRequests(it.of.id, 5_000));
  assert.deepEqual([kept.length, kept[0]?.at, kept.at(-1)?.at], [1_000, 3_499, 2_500]);
  const { tally } = await it.past(0, minute);
  assert.deepEqual(tally.statuses, { 200: 1_750, 404: 1_750 }, "all are counted");
});

test("minutes become hours, hours go, and no count is lost on the way", async () => {
  await using it = await scene();
  const begun = it.clock.now();
  await it.works();
  await it.clock.advance(minute);
  await it.works();
  await it.statistics.flush();
  const times = timesSchema.parse({});
  const reap = async (afterMs: number): Promise<void> => {
    await it.clock.advance(afterMs);
    const reaper = new Reaper({ ...it, times, log: silentLogger, sweepUploads: async () => {} });
    reaper.start();
    await it.clock.advance(minute);
    await it.clock.settle();
    await reaper.close();
  };
  await reap(3 * day);
  const rows = () => it.store.read((tx) => tx.statistics.during({ ...it, since: 0, until: it.clock.now() }));
  assert.deepEqual(
    (await rows()).map(({ key, tally }) => [key.from, key.containerId, tally.succeeded, tally.failed]),
    [[begun, "", 2, 2]],
  );
  await reap(30 * day);
  assert.deepEqual(await rows(), []);
});
