/** A container's life as it sees it itself: heartbeats, the word to end, and its own word that it cannot work. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { GenericResult_GenericStatus as Status, worker as wire } from "@lydian/contract";
import { predictableIds } from "@lydian/testkit";

import { submitCall } from "../../src/calls/submit.ts";
import { isFail } from "../../src/errors.ts";
import { World, rpc } from "../support/world.ts";

/** A world with one container that has said hello, and a call that waits for it. */
async function ready() {
  const world = await World.begin({}, { taskIdleTimeoutSecs: 10 });
  const callId = await world.submit("x");
  await world.join();
  await world.clock.settle();
  const [id = ""] = world.worker.containers.keys();
  world.worker.run(id);
  await world.asContainer(id, rpc.containerHello, {});
  const ask = () => world.asContainer(id, rpc.functionGetInputs, { inputConcurrency: 1 });
  return { world, callId, id, ask, [Symbol.asyncDispose]: () => world[Symbol.asyncDispose]() };
}

/** Whether it has been answered by now. */
async function isAnswered(world: World, reply: Promise<unknown>): Promise<boolean> {
  let answered = false;
  void reply.then(() => (answered = true));
  await world.clock.settle();
  return answered;
}

describe("a container's heartbeat", () => {
  it("is held, and answered when its time is up", async () => {
    await using it = await ready();
    const beat = it.world.asContainer(it.id, rpc.containerHeartbeat, {});
    await it.world.clock.advance(9_000);
    await it.world.keepAlive();
    await it.world.clock.advance(5_799);
    assert.equal(await isAnswered(it.world, beat), false);
    await it.world.clock.advance(1);
    await beat;
  });

  it("is answered at once when the container is gone for the server", async () => {
    await using it = await ready();
    const beat = it.world.asContainer(it.id, rpc.containerHeartbeat, {});
    assert.equal(await isAnswered(it.world, beat), false);
    it.world.worker.exit(it.id, { reason: wire.Exit_Reason.LOST });
    await beat;
  });
});

describe("a container that asks for inputs", () => {
  it("is answered without any when the time of its question is up", async () => {
    await using it = await ready();
    await it.ask();
    const more = it.world.asContainer(it.id, rpc.functionGetInputs, { inputConcurrency: 2 });
    for (let i = 0; i < 10; i++) {
      assert.equal(await isAnswered(it.world, more), false);
      await it.world.clock.advance(5_000);
      await it.world.keepAlive();
    }
    assert.deepEqual((await more).inputs, []);
  });

  it("is told to end when it has been idle for long enough, and is gone without a crash", async () => {
    await using it = await ready();
    const { inputs } = await it.ask();
    const outputs = [{ inputId: inputs[0]?.inputId ?? "", result: { status: Status.SUCCESS } }];
    await it.world.asContainer(it.id, rpc.functionPutOutputs, { outputs });
    const asking = it.ask();
    await it.world.clock.advance(9_000);
    await it.world.keepAlive();
    assert.equal(await isAnswered(it.world, asking), false);
    await it.world.clock.advance(1_000);
    assert.equal((await asking).inputs[0]?.killSwitch, true);
    it.world.worker.exit(it.id, { reason: wire.Exit_Reason.EXITED });
    await it.world.clock.settle();
    const { store } = await it.world.server();
    const demand = await store.read((tx) => tx.functions.demand(it.world.functionId));
    assert.equal(demand?.crashStreak, 0);
    it.world.check("after the container's end");
  });
});

describe("ContainerStop", () => {
  it("makes a container take no more inputs and end", async () => {
    await using it = await ready();
    await it.world.asUser(rpc.containerStop, { taskId: it.id });
    assert.equal((await it.ask()).inputs[0]?.killSwitch, true);
    await it.world.clock.settle();
    assert.equal(it.world.worker.containers.size, 2, "another one was started for the call");
  });

  for (const shape of ["unary", "web"] as const) {
    it(`gives a container ${shape === "web" ? "time for a request of the web" : "no time for a call, which is begun again"}`, async () => {
      await using it = await ready();
      const { inputs } = await it.ask();
      const outputs = [{ inputId: inputs[0]?.inputId ?? "", result: { status: Status.SUCCESS } }];
      await it.world.asContainer(it.id, rpc.functionPutOutputs, { outputs });
      const { clock, functionId } = it.world;
      const { store } = await it.world.server();
      const call = { functionId, shape, invocation: "sync", parentInputId: "" } as const;
      const context = { now: clock.now(), newId: predictableIds() };
      const limits = { queuedSync: 1, queuedAsync: 1 };
      await store.write((tx) =>
        submitCall(tx, { ...call, inputs: [{ index: 0, payload: new Uint8Array(), method: "" }] }, limits, context),
      );
      assert.equal((await it.ask()).inputs.length, 1);
      await it.world.asUser(rpc.containerStop, { taskId: it.id });
      const container = await store.read((tx) => tx.containers.get(it.id));
      const graceMs = shape === "web" ? 30_000 : 0;
      assert.deepEqual([container?.state, container?.killAt], ["draining", clock.now() + graceMs]);
    });
  }

  it("is not for other containers", async () => {
    await using it = await ready();
    const stop = it.world.asContainer("ta-other", rpc.containerStop, { taskId: it.id });
    await assert.rejects(stop, (error) => isFail(error, "permissionDenied"));
  });
});

describe("a container that cannot import its code", () => {
  it("has its own words reach the caller at once", async () => {
    await using it = await ready();
    const waiting = it.world.outputs(it.callId);
    const result = { status: Status.FAILURE, exception: "ModuleNotFoundError: no module named torch" };
    await it.world.asContainer(it.id, rpc.taskResult, { result });
    const [output] = await waiting;
    assert.equal(output?.result?.exception, "ModuleNotFoundError: no module named torch");
    assert.deepEqual(await it.world.counts(), { queued: 0, claimed: 0, delayed: 0, held: 0, unfinished: 0 });
    it.world.check("after the failure");
  });
});
