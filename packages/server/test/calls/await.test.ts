/** Waiting for outputs: at once, by a bell, until the time is up or the caller leaves; and what comes after. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { type OutputQuery, acknowledge, awaitOutputs } from "../../src/calls/await.ts";
import { claimInputs } from "../../src/calls/claim.ts";
import { completeInputs } from "../../src/calls/complete.ts";
import { callBell } from "../../src/domain/bells.ts";
import { isFail } from "../../src/errors.ts";
import { type TestStore, testStore } from "../support/open-store.ts";
import { claimRequest, completion, plantContainer, plantFunction, plantMap, success } from "../support/rows.ts";

const never = new AbortController().signal;

/** A call with this many inputs, all in one container. */
async function scene(test: TestStore, count: number) {
  return await test.does(async (tx, context) => {
    const of = await plantFunction(tx, context);
    const holder = await plantContainer(tx, of, context);
    const { callId, inputIds } = await plantMap(tx, of, context, count);
    await claimInputs(tx, claimRequest(holder.id, { atMost: count }), context);
    const complete = (index: number): Promise<string[]> =>
      test.does((tx, context) =>
        completeInputs(tx, holder.id, [completion(inputIds[index] ?? "", { result: success(`${index}`) })], context),
      );
    return { callId, complete };
  });
}

const query = (callId: string, changes: Partial<OutputQuery> = {}): OutputQuery => ({
  callId,
  after: 0,
  range: undefined,
  atMost: 10,
  waitMs: 55_000,
  ...changes,
});

describe("who waits for outputs", () => {
  it("has one that is there at once", async () => {
    await using test = await testStore();
    const { callId, complete } = await scene(test, 1);
    await complete(0);
    const { call, outputs } = await awaitOutputs(test, query(callId), never);
    assert.deepEqual([call.unfinished, outputs.length], [0, 1]);
  });

  it("is woken by the output, and nothing is left waiting", async () => {
    await using test = await testStore();
    const { callId, complete } = await scene(test, 1);
    const waiting = awaitOutputs(test, query(callId), never);
    await test.clock.settle();
    assert.equal(test.bells.waiting(callBell(callId)), 1);
    await complete(0);
    assert.equal((await waiting).outputs.length, 1);
    assert.equal(test.bells.waiting(callBell(callId)), 0);
    assert.equal(test.clock.pending, 0);
  });

  it("has several together when many are to come", async () => {
    await using test = await testStore();
    const { callId, complete } = await scene(test, 25);
    const waiting = awaitOutputs(test, query(callId), never);
    await test.clock.settle();
    await complete(0);
    await test.clock.settle();
    await complete(1);
    await test.clock.advance(50);
    const { call, outputs } = await waiting;
    assert.deepEqual([call.unfinished, outputs.map(({ index }) => index)], [23, [0, 1]]);
  });

  it("does not wait for more than it takes", async () => {
    await using test = await testStore();
    const { callId, complete } = await scene(test, 25);
    await complete(0);
    assert.equal((await awaitOutputs(test, query(callId, { atMost: 1 }), never)).outputs.length, 1);
  });

  it("is answered without one when the time is up", async () => {
    await using test = await testStore();
    const { callId } = await scene(test, 1);
    const waiting = awaitOutputs(test, query(callId), never);
    let answered = false;
    void waiting.then(() => (answered = true));
    await test.clock.advance(54_999);
    assert.equal(answered, false);
    await test.clock.advance(1);
    const { call, outputs } = await waiting;
    assert.deepEqual([call.unfinished, outputs.length], [1, 0]);
  });

  it("who only asks is answered at once", async () => {
    await using test = await testStore();
    const { callId } = await scene(test, 1);
    assert.equal((await awaitOutputs(test, query(callId, { waitMs: 0 }), never)).outputs.length, 0);
  });

  it("ends when the caller leaves", async () => {
    await using test = await testStore();
    const { callId } = await scene(test, 1);
    const leaves = new AbortController();
    const waiting = awaitOutputs(test, query(callId), leaves.signal);
    await test.clock.settle();
    leaves.abort(new Error("gone"));
    await assert.rejects(waiting, /gone/);
    assert.equal(test.bells.waiting(callBell(callId)), 0);
  });
});

describe("of several outputs, who waits", () => {
  it("gets those after an entry, and does not take a finished call for one that still runs", async () => {
    await using test = await testStore();
    const { callId, complete } = await scene(test, 1);
    await complete(0);
    const first = await awaitOutputs(test, query(callId), never);
    const entry = first.outputs[0]?.entry ?? 0;
    const { outputs } = await awaitOutputs(test, query(callId, { after: entry }), never);
    assert.deepEqual(outputs, []);
  });

  it("gets none before an entry that it names, also by their place", async () => {
    await using test = await testStore();
    const { callId, complete } = await scene(test, 1);
    await complete(0);
    const range = { first: 0, last: 0 };
    const first = await awaitOutputs(test, query(callId, { range }), never);
    assert.equal(first.outputs.length, 1);
    const after = first.outputs[0]?.entry ?? 0;
    assert.deepEqual((await awaitOutputs(test, query(callId, { range, after }), never)).outputs, []);
  });

  it("sleeps through outputs that it did not ask for", async () => {
    await using test = await testStore();
    const { callId, complete } = await scene(test, 3);
    const waiting = awaitOutputs(test, query(callId, { range: { first: 2, last: 2 } }), never);
    await complete(0);
    await test.clock.settle();
    assert.equal(test.bells.waiting(callBell(callId)), 1);
    await complete(2);
    assert.deepEqual(
      (await waiting).outputs.map(({ index }) => index),
      [2],
    );
  });

  it("takes no more than it asked for, oldest first", async () => {
    await using test = await testStore();
    const { callId, complete } = await scene(test, 3);
    for (const index of [1, 0, 2]) await complete(index);
    const { outputs } = await awaitOutputs(test, query(callId, { atMost: 2 }), never);
    assert.deepEqual(
      outputs.map(({ index }) => index),
      [1, 0],
    );
  });

  it("of a call that does not exist gets a sentence", async () => {
    await using test = await testStore();
    await assert.rejects(awaitOutputs(test, query("fc-none"), never), (error) => isFail(error, "notFound"));
  });
});

describe("an acknowledgement", () => {
  it("is kept for a finished call, the first time", async () => {
    await using test = await testStore();
    const { callId, complete } = await scene(test, 1);
    const acknowledged = () =>
      test.does(async (tx, { now }) => {
        await acknowledge(tx, callId, now);
        return (await tx.calls.get(callId))?.acknowledgedAt;
      });
    assert.equal(await acknowledged(), undefined);
    await complete(0);
    const first = await acknowledged();
    assert.equal(first, test.clock.now());
    await test.clock.advance(10);
    assert.equal(await acknowledged(), first);
  });
});
