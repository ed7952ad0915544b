/** Cancelling a call: what waits ends at once, what runs is asked for, and whoever waits is told. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { fromBinary } from "@bufbuild/protobuf";
import { GenericResultSchema, GenericResult_GenericStatus as Status } from "@lydian/contract";

import { cancelCall } from "../../src/calls/cancel.ts";
import { claimInputs } from "../../src/calls/claim.ts";
import { completeInputs } from "../../src/calls/complete.ts";
import { submitCall } from "../../src/calls/submit.ts";
import { transition } from "../../src/calls/transition.ts";
import { alarmsBell, callBell, containerBell } from "../../src/domain/bells.ts";
import { isFail } from "../../src/errors.ts";
import { type TestStore, countRings, testStore } from "../support/open-store.ts";
import {
  claimRequest,
  completion,
  failed,
  limits,
  payload,
  plantCall,
  plantContainer,
  plantFunction,
  plantMap,
  submission,
} from "../support/rows.ts";

/** A call of four inputs: two in two containers, one delayed, one queued; and an input of another call in the first. */
async function scene(test: TestStore) {
  return await test.does(async (tx, context) => {
    const retry = { retries: 1, initialMs: 1_000, factor: 1, maxMs: 1_000 };
    const of = await plantFunction(tx, context, { policy: { retry, maxConcurrency: 2 } });
    const [first, second] = [await plantContainer(tx, of, context), await plantContainer(tx, of, context)];
    const { callId, inputIds } = await plantMap(tx, of, context, 4);
    const other = await plantCall(tx, of, context);
    const give = async (inputId: string, containerId: typeof first.id): Promise<void> => {
      const input = await tx.inputs.get(inputId);
      if (input !== undefined) await transition(tx, input, { kind: "claim", containerId }, context);
    };
    await give(inputIds[0] ?? "", first.id);
    await give(inputIds[1] ?? "", second.id);
    await give(inputIds[2] ?? "", second.id);
    await completeInputs(tx, second.id, [failed(inputIds[2] ?? "")], context);
    await give(other.inputId, first.id);
    return { of, first: first.id, second: second.id, callId, inputIds, other };
  });
}

const cancel = (test: TestStore, callId: string, endContainers = false): Promise<void> =>
  test.does((tx, context) => cancelCall(tx, { callId, endContainers }, context));

const statesOf = (test: TestStore, inputIds: readonly string[]) =>
  test.store.read((tx) =>
    Promise.all(
      inputIds.map(async (id) => {
        const input = await tx.inputs.get(id);
        return `${input?.state}${input?.ending ? `, to be ${input.ending.status}` : ""}`;
      }),
    ),
  );

describe("a call that is cancelled", () => {
  it("has what waits end at once, and asks for what runs", async () => {
    await using test = await testStore();
    const { callId, inputIds } = await scene(test);
    await cancel(test, callId);
    assert.deepEqual(await statesOf(test, inputIds), [
      "claimed, to be terminated",
      "claimed, to be terminated",
      "done",
      "done",
    ]);
    const outputs = await test.store.read((tx) => tx.outputs.after(callId, 0, 9));
    const results = outputs.map(({ result }) => fromBinary(GenericResultSchema, result));
    assert.deepEqual(
      results.map(({ status, exception }) => [status, exception]),
      Array.from({ length: 2 }, () => [Status.TERMINATED, "The call was cancelled."]),
    );
  });

  it("wakes who waits for it, the containers that run it, and whoever sees that they obey", async () => {
    await using test = await testStore();
    const { callId, first, second } = await scene(test);
    const keys = [callBell(callId), containerBell(first), containerBell(second), alarmsBell];
    const rings = keys.map((key) => countRings(test.bells, key));
    await test.clock.settle();
    await cancel(test, callId);
    await test.clock.settle();
    for (const [index, each] of rings.entries()) assert.ok(each.count > 0, `bell ${keys[index]}`);
    for (const each of rings) await each.stop();
  });

  it("leaves other calls alone, also those in the same container", async () => {
    await using test = await testStore();
    const { callId, other, first } = await scene(test);
    await cancel(test, callId);
    assert.deepEqual(await statesOf(test, [other.inputId]), ["claimed"]);
    assert.equal((await test.store.read((tx) => tx.containers.get(first)))?.state, "ready");
  });

  it("is finished when its containers have said how it ended, whatever they say but a success", async () => {
    await using test = await testStore();
    const { callId, first, second, inputIds } = await scene(test);
    await cancel(test, callId);
    const say = (id: string, inputId = "", outcome: "success" | "failure" = "failure") =>
      test.does((tx, context) => completeInputs(tx, id, [completion(inputId, { outcome })], context));
    await say(first, inputIds[0], "success");
    await say(second, inputIds[1]);
    const { call, statuses } = await test.store.read(async (tx) => {
      const outputs = await tx.outputs.after(callId, 0, 9);
      const byIndex = outputs.toSorted((a, b) => a.index - b.index);
      const statuses = byIndex.map(({ result }) => fromBinary(GenericResultSchema, result).status);
      return { call: await tx.calls.get(callId), statuses };
    });
    assert.deepEqual([call?.state, call?.unfinished], ["finished", 0]);
    assert.deepEqual(statuses, [Status.SUCCESS, Status.TERMINATED, Status.TERMINATED, Status.TERMINATED]);
  });

  it("can have its containers ended, and then only its own", async () => {
    await using test = await testStore();
    const { of, callId, first, second } = await scene(test);
    const third = await test.does((tx, context) => plantContainer(tx, of, context));
    await cancel(test, callId, true);
    const found = await test.store.read(async (tx) => {
      const all = await Promise.all([first, second, third.id].map((id) => tx.containers.get(id)));
      return all.map((each) => [each?.state, each?.killAt]);
    });
    const now = test.clock.now();
    assert.deepEqual(found, [
      ["draining", now],
      ["draining", now],
      ["ready", undefined],
    ]);
  });
});

describe("cancelling", () => {
  it("again changes nothing, but can still end the containers", async () => {
    await using test = await testStore();
    const { callId, inputIds, first } = await scene(test);
    await cancel(test, callId);
    const since = test.clock.now();
    await test.clock.advance(500);
    await cancel(test, callId);
    const input = await test.store.read((tx) => tx.inputs.get(inputIds[0] ?? ""));
    assert.equal(input?.ending?.since, since);
    await cancel(test, callId, true);
    assert.equal((await test.store.read((tx) => tx.containers.get(first)))?.state, "draining");
  });

  it("an open map closes it: it takes no more inputs and is finished when nothing runs", async () => {
    await using test = await testStore();
    const inputs = [{ index: 0, payload: payload("x"), method: "" }];
    const found = await test.does(async (tx, context) => {
      const of = await plantFunction(tx, context);
      const { call } = await submitCall(tx, submission(of, { shape: "map", inputs }), limits, context);
      await cancelCall(tx, { callId: call.id, endContainers: false }, context);
      return await tx.calls.get(call.id);
    });
    assert.deepEqual([found?.state, found?.finishedAt], ["finished", test.clock.now()]);
  });

  it("a call that has no input finishes it", async () => {
    await using test = await testStore();
    const call = await test.does(async (tx, context) => {
      const of = await plantFunction(tx, context);
      const { call } = await submitCall(tx, submission(of), limits, context);
      await cancelCall(tx, { callId: call.id, endContainers: false }, context);
      return (await tx.calls.get(call.id)) ?? call;
    });
    assert.equal(call.state, "finished");
  });

  it("a finished call changes nothing", async () => {
    await using test = await testStore();
    const { callId, before } = await test.does(async (tx, context) => {
      const of = await plantFunction(tx, context);
      const { id } = await plantContainer(tx, of, context);
      const { callId, inputId } = await plantCall(tx, of, context);
      await claimInputs(tx, claimRequest(id), context);
      await completeInputs(tx, id, [completion(inputId)], context);
      return { callId, before: await tx.outputs.after(callId, 0, 9) };
    });
    await test.clock.advance(1_000);
    await cancel(test, callId, true);
    const after = await test.store.read((tx) => tx.outputs.after(callId, 0, 9));
    assert.deepEqual(after, before);
  });

  it("what does not exist says so", async () => {
    await using test = await testStore();
    await assert.rejects(cancel(test, "fc-none"), (error) => isFail(error, "notFound"));
  });
});
