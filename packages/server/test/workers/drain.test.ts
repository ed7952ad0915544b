/** A platform that comes to rest: nothing begins, what runs finishes or is broken off, and nothing is lost. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { DataFormat, GenericResult_GenericStatus as Status, operator, worker as wire } from "@lydian/contract";

import { Drain } from "../../src/workers/drain.ts";
import { testStore } from "../support/open-store.ts";
import { plantContainer, plantFunction } from "../support/rows.ts";
import { World, rpc } from "../support/world.ts";

const methods = operator.Operators.method;
const owner = { kind: "user", tokenId: "ak-owner" } as const;

/** A world whose one container has the input of a call. */
async function running() {
  const world = await World.begin({}, { timeoutSecs: 3_600 });
  const callId = await world.submit("x");
  await world.join();
  const id = await begun(world);
  const input = await claim(world, id);
  return { world, callId, id, input, [Symbol.asyncDispose]: () => world[Symbol.asyncDispose]() };
}

async function begun(world: World): Promise<string> {
  await world.clock.settle();
  const [id = ""] = world.worker.containers.keys();
  world.worker.run(id);
  await world.asContainer(id, rpc.containerHello, {});
  return id;
}

async function claim(world: World, id: string) {
  const { inputs } = await world.asContainer(id, rpc.functionGetInputs, { inputConcurrency: 1 });
  const [first] = inputs;
  assert.ok(first);
  return first;
}

/** What a drain tells, as it tells it. */
async function drains(world: World, withinMs: number) {
  const told: [number, number][] = [];
  const server = await world.server();
  const stream = server.stream(methods.drain, { withinMs: BigInt(withinMs) }, { caller: owner });
  const done = (async () => {
    for await (const { containers, inputs } of stream) told.push([containers, inputs]);
  })();
  await world.clock.settle();
  return { told, done };
}

test("a busy container finishes what it has; nothing else begins until the rest is ended", async () => {
  await using it = await running();
  const { world, id, input } = it;
  const { told, done } = await drains(world, 600_000);
  assert.deepEqual(told, [[1, 1]]);
  const later = await world.submit("y");
  await world.clock.settle();
  assert.deepEqual([...world.worker.containers.keys()], [id]);
  const result = { status: Status.SUCCESS, dataOneof: { case: "data" as const, value: new Uint8Array() } };
  const output = { inputId: input.inputId, dataFormat: DataFormat.PICKLE, result };
  await world.asContainer(id, rpc.functionPutOutputs, { outputs: [{ ...output, retryCount: input.retryCount }] });
  await world.clock.settle();
  world.worker.exit(id, { reason: wire.Exit_Reason.EXITED });
  await world.clock.settle();
  await done;
  assert.deepEqual(told.at(-1), [0, 0]);
  assert.equal((await world.outputs(it.callId)).length, 1);
  assert.deepEqual(await world.counts(), { queued: 1, claimed: 0, delayed: 0, held: 0, unfinished: 1 });
  const { drained } = await world.asUser(methods.endDrain, {});
  assert.equal(drained, true);
  const next = await begun(world);
  assert.equal((await claim(world, next)).functionCallId, later);
});

test("what takes longer than it may is broken off and waits for another container", async () => {
  await using it = await running();
  const { world, id } = it;
  const { told, done } = await drains(world, 20_000);
  await world.clock.advance(9_000);
  await world.keepAlive();
  await world.clock.advance(9_000);
  await world.keepAlive();
  assert.deepEqual(told, [[1, 1]]);
  await world.clock.advance(3_000);
  await world.clock.settle();
  const stopped = world.worker.received.map(({ message }) =>
    message.case === "stop" ? message.value.containerId : "",
  );
  assert.ok(stopped.includes(id), "it is killed");
  await world.clock.settle();
  await done;
  assert.deepEqual(await world.counts(), { queued: 1, claimed: 0, delayed: 0, held: 0, unfinished: 1 });
});

test("a rest that is undone tells nothing more, and the next one begins anew", async () => {
  await using it = await running();
  const { done } = await drains(it.world, 600_000);
  await it.world.asUser(methods.endDrain, {});
  await it.world.clock.settle();
  await done;
  assert.equal((await it.world.asUser(methods.endDrain, {})).drained, false);
});

test("a container whose web requests stand in no database is as busy as any other", async () => {
  await using it = await testStore();
  const [busy, idle] = await it.does(async (tx, context) => {
    const of = await plantFunction(tx, context);
    return [await plantContainer(tx, of, context), await plantContainer(tx, of, context)] as const;
  });
  const loads = [{ containerId: busy.id, functionId: busy.functionId, requests: 2, until: 0 }];
  const drain = new Drain({ ...it, loads: () => loads });
  const over = new AbortController();
  const told = await drain.begin(600_000, over.signal).next();
  assert.deepEqual(told.value, { containers: 2, inputs: 2, builds: 0 });
  const ends = await it.store.read(async (tx) => [
    (await tx.containers.get(busy.id))?.killAt,
    (await tx.containers.get(idle.id))?.killAt,
  ]);
  assert.deepEqual(ends, [it.clock.now() + 600_000, it.clock.now() + 30_000]);
});
