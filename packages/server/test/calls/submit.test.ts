/** A call is taken: rows, counts, bells; or refused with a sentence. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { addInputs, submitCall } from "../../src/calls/submit.ts";
import { demandBell, inputsBell } from "../../src/domain/bells.ts";
import { isFail } from "../../src/errors.ts";
import { countRings, testStore } from "../support/open-store.ts";
import { limits, payload, plantCall, plantFunction, submission } from "../support/rows.ts";

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
    const of = await plantFunction(tx, context);
    await tx.functions.put({ ...of, definition: new Uint8Array() });
    return of;
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
