/** What failed of a call once more, as a call of its own. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { claimInputs } from "../../src/calls/claim.ts";
import { completeInputs } from "../../src/calls/complete.ts";
import { retryCall } from "../../src/calls/retry.ts";
import { failUnfinished } from "../../src/calls/sweep.ts";
import { goOn } from "../../src/sweeps/go-on.ts";
import { isFail } from "../../src/errors.ts";
import { type TestStore, testStore } from "../support/open-store.ts";
import {
  claimRequest,
  completion,
  failed,
  limits,
  payload,
  plantContainer,
  plantFunction,
  plantMap,
} from "../support/rows.ts";

/** A finished map of five inputs, two of which have failed. */
async function scene(test: TestStore) {
  return await test.does(async (tx, context) => {
    const of = await plantFunction(tx, context);
    const { id } = await plantContainer(tx, of, context);
    const { callId, inputIds } = await plantMap(tx, of, context, 5, ["predict"]);
    await claimInputs(tx, claimRequest(id, { atMost: 5 }), context);
    const said = inputIds.map((inputId, index) => (index === 1 || index === 4 ? failed(inputId) : completion(inputId)));
    await completeInputs(tx, id, said, context);
    return { of, callId };
  });
}

const retry = (test: TestStore, callId: string) => test.does((tx, context) => retryCall(tx, callId, limits, context));

describe("a call that is retried", () => {
  it("has what failed as its inputs, in their order, and leaves the old one as it is", async () => {
    await using test = await testStore();
    const { of, callId } = await scene(test);
    const before = await test.store.read((tx) => tx.outputs.after(callId, 0, 9));
    const { id, inputs } = await retry(test, callId);
    assert.equal(inputs, 2);
    const { call, queued, after } = await test.store.read(async (tx) => ({
      call: await tx.calls.get(id),
      queued: await tx.inputs.queued(of.id, 9),
      after: await tx.outputs.after(callId, 0, 9),
    }));
    assert.deepEqual([call?.state, call?.inputs, call?.unfinished, call?.invocation], ["closed", 2, 2, "async"]);
    assert.deepEqual(
      queued.map(({ callId: of, index, payload: arguments_, method }) => [of, index, arguments_, method]),
      [
        [id, 0, payload("1"), "predict"],
        [id, 1, payload("4"), "predict"],
      ],
    );
    assert.deepEqual(after, before);
  });

  it("is refused while it runs, and when nothing of it failed", async () => {
    await using test = await testStore();
    const { open, fine } = await test.does(async (tx, context) => {
      const of = await plantFunction(tx, context);
      const { id } = await plantContainer(tx, of, context);
      const fine = await plantMap(tx, of, context, 1);
      await claimInputs(tx, claimRequest(id), context);
      await completeInputs(tx, id, [completion(fine.inputIds[0] ?? "")], context);
      return { fine: fine.callId, open: (await plantMap(tx, of, context, 1)).callId };
    });
    await assert.rejects(retry(test, open), /has 1 inputs that are not finished.*/);
    await assert.rejects(retry(test, fine), (error) => isFail(error, "failedPrecondition"));
    await assert.rejects(retry(test, "fc-none"), (error) => isFail(error, "notFound"));
  });

  it("has all of many, beyond what is read at a time", async () => {
    await using test = await testStore();
    const { of, callId } = await test.does(async (tx, context) => {
      const of = await plantFunction(tx, context);
      const { callId } = await plantMap(tx, of, context, 350);
      await failUnfinished(tx, { functionId: of.id }, { status: "failure", message: "x" }, context);
      while ((await tx.sweeps.first()) !== undefined) await goOn(tx, context);
      return { of, callId };
    });
    assert.equal((await retry(test, callId)).inputs, 350);
    assert.equal((await test.store.read((tx) => tx.functions.demand(of.id)))?.queued, 350);
  });

  it("is accepted within the function's limits, or not at all", async () => {
    await using test = await testStore();
    const { callId } = await scene(test);
    const few = { ...limits, queuedAsync: 1 };
    await assert.rejects(
      test.does((tx, context) => retryCall(tx, callId, few, context)),
      (error) => isFail(error, "resourceExhausted"),
    );
  });
});
