/** Outputs: from who holds the input, once; and those that the platform writes itself. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { fromBinary } from "@bufbuild/protobuf";
import { GenericResultSchema, GenericResult_GenericStatus as Status } from "@lydian/contract";

import { claimInputs } from "../../src/calls/claim.ts";
import { completeInputs, failUnfinished } from "../../src/calls/complete.ts";
import { failureResult } from "../../src/calls/result.ts";
import { endContainer } from "../../src/containers/end.ts";
import { callBell } from "../../src/domain/bells.ts";
import { type TestStore, countRings, testStore } from "../support/open-store.ts";
import { claimRequest, completion, plantCall, plantContainer, plantFunction, success } from "../support/rows.ts";

/** A call whose input a container holds, and another container. */
async function scene(test: TestStore) {
  return await test.does(async (tx, context) => {
    const of = await plantFunction(tx, context);
    const { callId, inputId } = await plantCall(tx, of, context);
    const { id: holder } = await plantContainer(tx, of, context);
    const { id: other } = await plantContainer(tx, of, context);
    await claimInputs(tx, claimRequest(holder), context);
    return { of, callId, inputId, holder, other };
  });
}

const complete = (test: TestStore, containerId: string, inputId: string, value: string, attempt = 1) =>
  test.does((tx, context) =>
    completeInputs(tx, containerId, [completion(inputId, { attempt, result: success(value) })], context),
  );

const outputs = (test: TestStore, callId: string) => test.store.read((tx) => tx.outputs.after(callId, 0, 10));

describe("an output of a container", () => {
  it("finishes the input and the call, frees the container, and wakes who waits", async () => {
    await using test = await testStore();
    const { of, callId, inputId, holder } = await scene(test);
    const waiting = countRings(test.bells, callBell(callId));
    await test.clock.advance(1_000);
    await complete(test, holder, inputId, "value");
    const [output] = await outputs(test, callId);
    assert.deepEqual(output?.result, success("value").bytes);
    assert.deepEqual(
      [output?.inputId, output?.containerId, output?.startedAt, output?.createdAt],
      [inputId, holder, test.clock.now() - 1_000, test.clock.now()],
    );
    const [call, demand, container] = await test.store.read(async (tx) => [
      await tx.calls.get(callId),
      await tx.functions.demand(of.id),
      await tx.containers.get(holder),
    ]);
    assert.deepEqual([call?.state, call?.unfinished, call?.finishedAt], ["finished", 0, test.clock.now()]);
    assert.deepEqual([demand?.queued, demand?.claimed], [0, 0]);
    assert.deepEqual([container?.held, container?.finished, container?.idleSince], [0, 1, test.clock.now()]);
    await test.clock.settle();
    assert.equal(waiting.count, 1);
    await waiting.stop();
  });

  it("counts once, however often it is said", async () => {
    await using test = await testStore();
    const { callId, inputId, holder } = await scene(test);
    await complete(test, holder, inputId, "first");
    await complete(test, holder, inputId, "second");
    const found = await outputs(test, callId);
    assert.deepEqual(
      found.map(({ result }) => result),
      [success("first").bytes],
    );
  });

  it("changes nothing when it comes from one that does not hold the input", async () => {
    await using test = await testStore();
    const { callId, inputId, holder, other } = await scene(test);
    await complete(test, other, inputId, "stranger's");
    assert.deepEqual(await outputs(test, callId), []);
    await complete(test, holder, inputId, "holder's");
    assert.equal((await outputs(test, callId)).length, 1);
  });

  it("changes nothing when its container is gone and another has the input", async () => {
    await using test = await testStore();
    const { callId, inputId, holder, other } = await scene(test);
    await test.does((tx, context) => endContainer(tx, holder, { reason: "lost" }, context));
    await complete(test, holder, inputId, "late");
    assert.deepEqual(await outputs(test, callId), []);
    await test.does((tx, context) => claimInputs(tx, claimRequest(other), context));
    await complete(test, holder, inputId, "late");
    await complete(test, other, inputId, "right", 2);
    assert.deepEqual(
      (await outputs(test, callId)).map(({ result }) => result),
      [success("right").bytes],
    );
  });
});

describe("an output of a container also", () => {
  it("ends the function's streak of crashes", async () => {
    await using test = await testStore();
    const { of, inputId, holder } = await scene(test);
    await test.does((tx) => tx.functions.setCrashes(of.id, 2, 99));
    await complete(test, holder, inputId, "value");
    const demand = await test.store.read((tx) => tx.functions.demand(of.id));
    assert.deepEqual([demand?.crashStreak, demand?.notBefore], [0, 0]);
  });

  it("keeps a container busy that holds more", async () => {
    await using test = await testStore();
    const { of, inputId, holder } = await scene(test);
    await test.does(async (tx, context) => {
      await plantCall(tx, of, context);
      await claimInputs(tx, claimRequest(holder, { received: new Set([inputId]) }), context);
    });
    await test.clock.advance(1_000);
    await complete(test, holder, inputId, "value");
    const container = await test.store.read((tx) => tx.containers.get(holder));
    assert.deepEqual([container?.held, container?.idleSince], [1, test.clock.now() - 1_000]);
  });
});

describe("a failure that the platform decides", () => {
  it("ends what waits and what runs, with the reason and without data", async () => {
    await using test = await testStore();
    const { of, callId, holder } = await scene(test);
    const second = await test.does(async (tx, context) => {
      const made = await plantCall(tx, of, context);
      const failure = { status: "terminated", message: "The app was stopped." } as const;
      await failUnfinished(tx, { functionId: of.id }, failure, context);
      return made;
    });
    for (const id of [callId, second.callId]) {
      const [output] = await outputs(test, id);
      const result = fromBinary(GenericResultSchema, output?.result ?? new Uint8Array());
      assert.equal(result.status, Status.TERMINATED);
      assert.equal(result.exception, "The app was stopped.");
      assert.equal(result.dataOneof.case, undefined);
    }
    assert.equal((await test.store.read((tx) => tx.containers.get(holder)))?.held, 0);
  });

  it("is never one that the clients repeat without end", () => {
    for (const status of ["failure", "terminated", "timeout", "initFailure"] as const) {
      const result = fromBinary(GenericResultSchema, failureResult({ status, message: "x" }).bytes);
      assert.notEqual(result.status, Status.INTERNAL_FAILURE);
      assert.notEqual(result.status, Status.UNSPECIFIED);
    }
  });
});
