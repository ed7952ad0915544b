/** What a call's code gives while it runs: kept in order, once, and only from who runs it. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { claimInputs } from "../../src/calls/claim.ts";
import { completeInputs } from "../../src/calls/complete.ts";
import { giveData } from "../../src/calls/give-data.ts";
import { forgetCall } from "../../src/calls/sweep.ts";
import { dataBell } from "../../src/domain/bells.ts";
import type { Chunk } from "../../src/domain/chunk.ts";
import { type TestStore, countRings, testStore } from "../support/open-store.ts";
import { claimRequest, completion, plantCall, plantContainer, plantFunction } from "../support/rows.ts";

const item = (index: number, text: string): Chunk => ({ index, dataFormat: 1, data: new TextEncoder().encode(text) });
const textOf = ({ data }: Chunk): string =>
  data instanceof Uint8Array ? new TextDecoder().decode(data) : `blob ${data.blobId}`;

/** A call whose input a container has, and another container. */
async function scene(test: TestStore) {
  return await test.does(async (tx, context) => {
    const of = await plantFunction(tx, context);
    const { callId, inputId } = await plantCall(tx, of, context);
    const [holder, other] = [await plantContainer(tx, of, context), await plantContainer(tx, of, context)];
    await claimInputs(tx, claimRequest(holder.id), context);
    return { callId, inputId, holder: holder.id, other: other.id };
  });
}

const give = (test: TestStore, from: string, callId: string, ...chunks: Chunk[]): Promise<void> =>
  test.does((tx) => giveData(tx, from, callId, chunks));

const given = async (test: TestStore, callId: string, after = 0, bytes = 1_000_000): Promise<string[]> => {
  const chunks = await test.store.read((tx) => tx.chunks.after(callId, after, bytes));
  return chunks.map((chunk) => `${chunk.index} ${textOf(chunk)}`);
};

describe("what a call's code gives", () => {
  it("comes in the order of its places, whatever the order in which it arrived", async () => {
    await using test = await testStore();
    const { callId, holder } = await scene(test);
    await give(test, holder, callId, item(3, "c"), item(1, "a"));
    await give(test, holder, callId, item(10, "j"), item(2, "b"));
    assert.deepEqual(await given(test, callId), ["1 a", "2 b", "3 c", "10 j"]);
    assert.deepEqual(await given(test, callId, 2), ["3 c", "10 j"]);
  });

  it("is there once: a repeated request, or an attempt that begins again, adds only what is new", async () => {
    await using test = await testStore();
    const { callId, holder } = await scene(test);
    await give(test, holder, callId, item(1, "a"), item(2, "b"));
    await give(test, holder, callId, item(1, "again"), item(2, "again"), item(3, "c"));
    assert.deepEqual(await given(test, callId), ["1 a", "2 b", "3 c"]);
  });

  it("wakes who waits for it", async () => {
    await using test = await testStore();
    const { callId, holder } = await scene(test);
    const rings = countRings(test.bells, dataBell(callId));
    await test.clock.settle();
    await give(test, holder, callId, item(1, "a"));
    await test.clock.settle();
    assert.equal(rings.count, 1);
    await rings.stop();
  });

  it("may be a blob, and may be nothing", async () => {
    await using test = await testStore();
    const { callId, holder } = await scene(test);
    const blob: Chunk = { index: 1, dataFormat: 4, data: { blobId: "bl-1" } };
    await give(test, holder, callId, blob, item(2, ""));
    const chunks = await test.store.read((tx) => tx.chunks.after(callId, 0, 1));
    assert.deepEqual(chunks[0], blob);
    assert.deepEqual(await given(test, callId), ["1 blob bl-1", "2 "]);
  });

  it("is nothing of a stranger's, of a container's that is done, or of another call's", async () => {
    await using test = await testStore();
    const { callId, inputId, holder, other } = await scene(test);
    await give(test, other, callId, item(1, "a stranger's"));
    await give(test, holder, "fc-none", item(1, "of another call"));
    assert.deepEqual([await given(test, callId), await given(test, "fc-none")], [[], []]);
    await test.does((tx, context) => completeInputs(tx, holder, [completion(inputId)], context));
    await give(test, holder, callId, item(1, "late"));
    assert.deepEqual(await given(test, callId), []);
  });
});

describe("what is read of it at a time", () => {
  it("is as much as fits, at least one, and goes on where it stopped", async () => {
    await using test = await testStore();
    const { callId, holder } = await scene(test);
    await give(test, holder, callId, ...Array.from({ length: 5 }, (_, n) => item(n + 1, `${n + 1}`.repeat(100))));
    const indexes = async (after: number, bytes: number): Promise<number[]> => {
      const chunks = await test.store.read((tx) => tx.chunks.after(callId, after, bytes));
      return chunks.map(({ index }) => index);
    };
    assert.deepEqual(await indexes(0, 250), [1, 2, 3]);
    assert.deepEqual(await indexes(3, 250), [4, 5]);
    assert.deepEqual(await indexes(0, 1), [1]);
    assert.deepEqual(await indexes(5, 250), []);
  });

  it("is of one call, and goes with it", async () => {
    await using test = await testStore();
    const { callId, inputId, holder } = await scene(test);
    await give(test, holder, callId, item(1, "a"));
    assert.deepEqual(await given(test, "fc-other"), []);
    await test.does(async (tx, context) => {
      await completeInputs(tx, holder, [completion(inputId)], context);
      await forgetCall(tx, callId);
    });
    assert.deepEqual(await given(test, callId), []);
  });
});
