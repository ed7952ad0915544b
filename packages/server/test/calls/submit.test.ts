/** A call is taken: rows, counts, bells; or refused with a sentence. */
import assert from "node:assert/strict";
import { describe, it, test } from "node:test";

import { addInputs, type Submission, submitCall } from "../../src/calls/submit.ts";
import { claimInputs } from "../../src/calls/claim.ts";
import { completeInputs } from "../../src/calls/complete.ts";
import { demandBell, inputsBell } from "../../src/domain/bells.ts";
import { isFail, ServerError } from "../../src/errors.ts";
import { statusOf } from "../../src/rpc/adapter-status.ts";
import { countRings, type TestStore, testStore } from "../support/open-store.ts";
import {
  claimRequest,
  failed,
  limits,
  payload,
  plantCall,
  plantContainer,
  plantFunction,
  submission,
} from "../support/rows.ts";

const inputs = [{ index: 0, payload: payload("a"), method: "" }];

test("a unary call is closed from the start, and its input waits", async () => {
  await using test = await testStore();
  const found = await test.does(async (tx, context) => {
    const of = await plantFunction(tx, context);
    const { callId, inputId } = await plantCall(tx, of, context, "hello");
    return { call: await tx.calls.get(callId), input: await tx.inputs.get(inputId), of };
  });
  assert.equal(found.call?.state, "closed");
  assert.deepEqual([found.call?.inputs, found.call?.unfinished, found.call?.createdAt], [1, 1, test.clock.now()]);
  assert.equal(found.input?.state, "queued");
  assert.deepEqual(found.input?.payload, payload("hello"));
  assert.equal((await test.store.read((tx) => tx.functions.demand(found.of.id)))?.queued, 1);
});

test("it wakes as many containers as it brings inputs, and the scheduler", async () => {
  await using test = await testStore();
  const of = await test.does((tx, context) => plantFunction(tx, context));
  const scheduler = countRings(test.bells, demandBell);
  const containers = Array.from({ length: 3 }, () => countRings(test.bells, inputsBell(of.id)));
  await test.clock.settle();
  const two = [0, 1].map((index) => ({ index, payload: payload("x"), method: "" }));
  await test.does((tx, context) => submitCall(tx, submission(of, { shape: "map", inputs: two }), limits, context));
  await test.clock.settle();
  assert.deepEqual([scheduler.count, ...containers.map(({ count }) => count)], [1, 1, 1, 0]);
  for (const each of [scheduler, ...containers]) await each.stop();
});

test("a unary call that brings no input takes it later, and then no other", async () => {
  await using test = await testStore();
  const [before, after] = await test.does(async (tx, context) => {
    const of = await plantFunction(tx, context);
    const { call } = await submitCall(tx, submission(of), limits, context);
    await addInputs(tx, call, inputs, limits, context);
    return [call.state, (await tx.calls.get(call.id))?.state];
  });
  assert.deepEqual([before, after], ["open", "closed"]);
});

test("a map stays open for more inputs", async () => {
  await using test = await testStore();
  const call = await test.does(async (tx, context) => {
    const of = await plantFunction(tx, context);
    const { call } = await submitCall(tx, submission(of, { shape: "map", inputs }), limits, context);
    await addInputs(tx, call, [{ index: 1, payload: payload("b"), method: "" }], limits, context);
    return await tx.calls.get(call.id);
  });
  assert.deepEqual([call?.state, call?.inputs, call?.unfinished], ["open", 2, 2]);
});

test("calls of what does not exist, is not defined yet or has stopped are refused", async () => {
  await using test = await testStore();
  const submit = (functionId: string) =>
    test.does((tx, context) => submitCall(tx, submission({ id: functionId }, { inputs }), limits, context));
  await assert.rejects(submit("fu-none"), (error) => isFail(error, "notFound"));
  const stopped = await test.does((tx, context) => plantFunction(tx, context, { state: "stopping" }));
  await assert.rejects(submit(stopped.id), /has stopped/);
  const reserved = await test.does(async (tx, context) => {
    const record = { ...(await plantFunction(tx, context)), id: context.newId("fu"), definition: new Uint8Array() };
    await tx.functions.put(record);
    return record;
  });
  await assert.rejects(submit(reserved.id), (error) => isFail(error, "failedPrecondition"));
});

test("a call whose app has stopped takes no more inputs: nothing would ever answer them", async () => {
  await using test = await testStore();
  const call = await test.does(async (tx, context) => {
    const of = await plantFunction(tx, context);
    const { call } = await submitCall(tx, submission(of, { shape: "map" }), limits, context);
    const app = await tx.apps.get(of.appId);
    if (app !== undefined) await tx.apps.update({ ...app, state: "stopping" });
    return call;
  });
  await assert.rejects(
    test.does((tx, context) => addInputs(tx, call, inputs, limits, context)),
    /has stopped/,
  );
});

test("an input remembers of which method it is, and its call who made it", async () => {
  await using test = await testStore();
  const found = await test.does(async (tx, context) => {
    const of = await plantFunction(tx, context);
    const inputs = [{ index: 3, payload: payload("a"), method: "predict" }];
    const asked = submission(of, { inputs, invocation: "async", parentInputId: "in-parent" });
    const { call, inputIds } = await submitCall(tx, asked, limits, context);
    return { call, input: await tx.inputs.get(inputIds[0] ?? ""), children: await tx.calls.children("in-parent") };
  });
  assert.deepEqual([found.input?.method, found.input?.index, found.input?.queuedAt], ["predict", 3, test.clock.now()]);
  assert.deepEqual([found.call.invocation, found.call.parentInputId], ["async", "in-parent"]);
  assert.deepEqual(
    found.children.map(({ id }) => id),
    [found.call.id],
  );
});

describe("where enough waits", () => {
  const few = { queuedSync: 2, queuedAsync: 4 };
  const some = (count: number) =>
    Array.from({ length: count }, (_, index) => ({ index, payload: payload("x"), method: "" }));
  const submit = (test: TestStore, of: { id: string }, changes: Partial<Submission>) =>
    test.does((tx, context) => submitCall(tx, submission(of, changes), few, context));
  const plant = (test: TestStore) => test.does((tx, context) => plantFunction(tx, context));

  it("a call that somebody waits for is refused at its limit, with a sentence and a time to ask again", async () => {
    await using test = await testStore();
    const of = await plant(test);
    for (let i = 0; i < 2; i++) await submit(test, of, { inputs: some(1) });
    const refused = await submit(test, of, { inputs: some(1) }).then(
      () => assert.fail("it was taken"),
      (error: unknown) => error,
    );
    assert.ok(isFail(refused, "resourceExhausted"));
    assert.match(
      refused.text,
      /^Function "hello" has 2 inputs that wait, and 2 is the most\. Wait until some are done/,
    );
    const { code, metadata } = statusOf(refused);
    assert.equal(code, 8);
    const details = Buffer.from(metadata.get("grpc-status-details-bin")?.[0] ?? "").toString("latin1");
    assert.match(details, /RPCRetryPolicy/, "the clients then ask again by themselves");
    assert.equal(refused.retryAfter, 1);
    assert.ok(refused instanceof ServerError);
  });

  it("what is spawned or mapped has a limit of its own, and is refused as a whole", async () => {
    await using test = await testStore();
    const of = await plant(test);
    await submit(test, of, { shape: "map", inputs: some(2) });
    await submit(test, of, { invocation: "async", inputs: some(1) });
    await assert.rejects(submit(test, of, { shape: "map", inputs: some(2) }), /3 inputs that wait, and 4 is the most/);
    await submit(test, of, { shape: "map", inputs: some(1) });
    await assert.rejects(submit(test, of, { invocation: "async", inputs: some(1) }), /and 4 is the most/);
    assert.equal((await test.store.read((tx) => tx.functions.demand(of.id)))?.queued, 4, "nothing of it was kept");
  });

  it("inputs that come later are refused as well, and the call stays as it was", async () => {
    await using test = await testStore();
    const of = await plant(test);
    const { call } = await submit(test, of, { shape: "map", inputs: some(3) });
    await assert.rejects(
      test.does((tx, context) => addInputs(tx, call, some(2), few, context)),
      (error) => isFail(error, "resourceExhausted"),
    );
    const kept = await test.store.read((tx) => tx.calls.get(call.id));
    assert.deepEqual([kept?.inputs, kept?.state], [3, "open"]);
    await test.does((tx, context) => addInputs(tx, call, some(1), few, context));
  });

  it("what runs does not count, and what waits for its next attempt does", async () => {
    await using test = await testStore();
    const retry = { retries: 1, initialMs: 9_000, factor: 1, maxMs: 9_000 };
    const of = await test.does((tx, context) => plantFunction(tx, context, { policy: { retry } }));
    const { inputIds } = await submit(test, of, { shape: "map", inputs: some(4) });
    const { id } = await test.does(async (tx, context) => {
      const container = await plantContainer(tx, of, context);
      await claimInputs(tx, claimRequest(container.id, { atMost: 2 }), context);
      return container;
    });
    await submit(test, of, { shape: "map", inputs: some(2) });
    await test.does((tx, context) => completeInputs(tx, id, [failed(inputIds[0] ?? "")], context));
    await assert.rejects(submit(test, of, { shape: "map", inputs: some(1) }), /has 5 inputs that wait/);
  });

  it("another function has its own limit", async () => {
    await using test = await testStore();
    const [first, second] = [await plant(test), await plant(test)];
    await submit(test, first, { shape: "map", inputs: some(4) });
    await submit(test, second, { shape: "map", inputs: some(4) });
  });
});
