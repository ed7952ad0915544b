/** Calls as their operator reads them: which there are, and how each of their inputs stands. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { operator } from "@lydian/contract";

import { claimInputs } from "../../src/calls/claim.ts";
import { completeInputs } from "../../src/calls/complete.ts";
import { inspectCall, listCalls } from "../../src/calls/report.ts";
import { transition } from "../../src/calls/transition.ts";
import { isFail } from "../../src/errors.ts";
import { type TestStore, testStore } from "../support/open-store.ts";
import { claimRequest, completion, failed, plantContainer, plantFunction, plantMap } from "../support/rows.ts";

/** Two functions in two apps, with a call that succeeded, one that failed, and one that is open. */
async function scene(test: TestStore) {
  const plant = () => test.does((tx, context) => plantFunction(tx, context));
  const [first, second] = [await plant(), await plant()];
  const callOf = async (of: typeof first, said?: typeof completion): Promise<string> => {
    await test.clock.advance(1_000);
    return await test.does(async (tx, context) => {
      const { callId, inputIds } = await plantMap(tx, of, context, 1);
      const { id } = await plantContainer(tx, of, context);
      if (said === undefined) return callId;
      await claimInputs(tx, claimRequest(id), context);
      await completeInputs(tx, id, [said(inputIds[0] ?? "")], context);
      return callId;
    });
  };
  const began = test.clock.now();
  const calls = { good: await callOf(first, completion), bad: await callOf(first, failed), open: await callOf(second) };
  return { began, first, second, ...calls };
}

const list = async (test: TestStore, request: MessageInitShape<typeof operator.ListCallsRequestSchema> = {}) => {
  const calls = await test.store.read((tx) => listCalls(tx, create(operator.ListCallsRequestSchema, request)));
  return calls.map(({ callId }) => callId);
};

describe("the list of calls", () => {
  it("has the newest first, as many as wanted", async () => {
    await using test = await testStore();
    const { good, bad, open } = await scene(test);
    assert.deepEqual(await list(test), [open, bad, good]);
    assert.deepEqual(await list(test, { limit: 2 }), [open, bad]);
  });

  it("is narrowed by app, function, state and time, by ids or names", async () => {
    await using test = await testStore();
    const { began, first, second, good, bad, open } = await scene(test);
    assert.deepEqual(await list(test, { app: second.appId }), [open]);
    assert.deepEqual(await list(test, { app: "app", function: first.id }), [bad, good]);
    assert.deepEqual(await list(test, { function: "hello" }), [open, bad, good]);
    const { OPEN, SUCCEEDED, FAILED } = operator.CallState;
    const byState = await Promise.all([OPEN, SUCCEEDED, FAILED].map((state) => list(test, { state })));
    assert.deepEqual(byState, [[open], [good], [bad]]);
    assert.deepEqual(await list(test, { createdAfterMs: BigInt(began + 1_500) }), [open, bad]);
  });

  it("of what does not exist says so", async () => {
    await using test = await testStore();
    await scene(test);
    await assert.rejects(list(test, { app: "shop" }), (error) => isFail(error, "notFound"));
    await assert.rejects(list(test, { function: "hullo" }), /There is no function "hullo"/);
  });
});

describe("one call", () => {
  it("says how each of its inputs stands", async () => {
    await using test = await testStore();
    const { callId, containerId } = await test.does(async (tx, context) => {
      const retry = { retries: 1, initialMs: 5_000, factor: 1, maxMs: 5_000 };
      const of = await plantFunction(tx, context, { policy: { retry } });
      const { id } = await plantContainer(tx, of, context);
      const { callId, inputIds } = await plantMap(tx, of, context, 5);
      await claimInputs(tx, claimRequest(id, { atMost: 4 }), context);
      const [done, delayed, stopped] = inputIds;
      await completeInputs(tx, id, [completion(done ?? ""), failed(delayed ?? "")], context);
      const input = await tx.inputs.get(stopped ?? "");
      const failure = { status: "timeout", message: "too long" } as const;
      const event = { kind: "fail", failure } as const;
      if (input !== undefined) await transition(tx, input, event, context);
      return { callId, containerId: id };
    });
    const now = BigInt(test.clock.now());
    const { call, inputs } = await test.store.read((tx) =>
      inspectCall(tx, create(operator.InspectCallRequestSchema, { callId })),
    );
    assert.deepEqual(
      [call.inputs, call.unfinished, call.failed, call.appName, call.functionName],
      [5, 3, 1, "app", "hello"],
    );
    assert.deepEqual(
      inputs.map(({ state, attempts, containerId: in_, dueAtMs, error }) => [
        state,
        attempts,
        in_,
        dueAtMs,
        error ?? "",
      ]),
      [
        ["success", 1, containerId, 0n, ""],
        ["delayed", 1, "", now + 5_000n, ""],
        ["timeout", 1, containerId, 0n, "too long"],
        ["claimed", 1, containerId, 0n, ""],
        ["queued", 0, "", 0n, ""],
      ],
    );
  });

  it("that does not exist says so", async () => {
    await using test = await testStore();
    const asked = create(operator.InspectCallRequestSchema, { callId: "fc-none" });
    await assert.rejects(
      test.store.read((tx) => inspectCall(tx, asked)),
      (error) => isFail(error, "notFound"),
    );
  });
});
