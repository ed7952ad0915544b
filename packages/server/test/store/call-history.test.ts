/** Inputs of functions by time: the last ones, those of a span, and how many there are of each. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { GenericResult_GenericStatus as Status } from "@lydian/contract";

import { claimInputs } from "../../src/calls/claim.ts";
import { completeInputs } from "../../src/calls/complete.ts";
import type { HistoryEntry } from "../../src/domain/call-history.ts";
import { type TestStore, testStore } from "../support/open-store.ts";
import { claimRequest, completion, failed, plantContainer, plantFunction, plantMap } from "../support/rows.ts";

/** A map of four inputs (one succeeds, one fails, one runs, one waits), and a second later one of two that wait. */
async function scene(test: TestStore) {
  const begun = test.clock.now();
  const of = await test.does((tx, context) => plantFunction(tx, context));
  const containerId = await test.does(async (tx, context) => {
    const { inputIds } = await plantMap(tx, of, context, 4);
    const { id } = await plantContainer(tx, of, context);
    await claimInputs(tx, claimRequest(id, { atMost: 3 }), context);
    const later = { ...context, now: context.now + 250 };
    await completeInputs(tx, id, [completion(inputIds[0] ?? ""), failed(inputIds[1] ?? "")], later);
    return id;
  });
  await test.clock.advance(1_000);
  await test.does((tx, context) => plantMap(tx, of, context, 2));
  return { begun, functionIds: [of.id], containerId };
}

const states = (entries: readonly HistoryEntry[]): string[] => entries.map(({ state }) => state);

describe("the history of a function's calls", () => {
  it("has the last inputs of the last call first, and says how each stands", async () => {
    await using test = await testStore();
    const { functionIds, containerId, begun } = await scene(test);
    const entries = await test.store.read((tx) => tx.callHistory.newest(functionIds, 100));
    assert.deepEqual(states(entries), ["waits", "waits", "waits", "runs", "ended", "ended"]);
    assert.deepEqual(
      entries.map(({ resultHead }) => resultHead?.[1]),
      [undefined, undefined, undefined, undefined, Status.FAILURE, Status.SUCCESS],
    );
    const { startedAt, endedAt, queuedAt, containerId: ranIn, method } = entries.at(-1) ?? {};
    assert.deepEqual([queuedAt, startedAt, endedAt, ranIn, method], [begun, begun, begun + 250, containerId, ""]);
    assert.equal((await test.store.read((tx) => tx.callHistory.newest(functionIds, 2))).length, 2);
  });

  it("has those of a span in order, and counts them", async () => {
    await using test = await testStore();
    const { functionIds, begun } = await scene(test);
    const read = (since: number, until: number) =>
      test.store.read((tx) => tx.callHistory.between({ functionIds, since, until }, 100));
    assert.deepEqual(states(await read(begun, begun + 1_000)), ["ended", "ended", "runs", "waits"]);
    assert.deepEqual(states(await read(begun + 1_000, begun + 2_000)), ["waits", "waits"]);
    assert.deepEqual(await read(begun + 1_001, begun + 2_000), []);
    const counts = await test.store.read((tx) =>
      tx.callHistory.counts({ functionIds, since: begun - 500, until: begun + 60_000 }, 1_000),
    );
    assert.deepEqual(
      counts.map((each) => ({ ...each })),
      [
        { bucket: 0, inputs: 4 },
        { bucket: 1, inputs: 2 },
      ],
    );
  });

  it("of several functions is one list", async () => {
    await using test = await testStore();
    const [first, second] = [await scene(test), await scene(test)];
    const functionIds = [...first.functionIds, ...second.functionIds];
    const entries = await test.store.read((tx) => tx.callHistory.newest(functionIds, 3));
    assert.deepEqual(new Set(entries.map(({ queuedAt }) => queuedAt)), new Set([second.begun + 1_000, second.begun]));
  });
});
