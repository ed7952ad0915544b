/** What containers ask for and report, over the server's real parts: batches, several at a time, cancelling, streams. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type FunctionGetInputsRequestSchema,
  type FunctionGetInputsResponse,
  type FunctionSchema$,
  GenericResult_GenericStatus as Status,
} from "@lydian/contract";

import { inputsBell } from "../../src/domain/bells.ts";
import { World, rpc } from "../support/world.ts";

type Asking = MessageInitShape<typeof FunctionGetInputsRequestSchema>;

/** A world with one container of this function that has said hello; nothing is called yet. */
async function ready(definition: MessageInitShape<typeof FunctionSchema$>) {
  const world = await World.begin({}, { ...definition, warmPoolSize: 1 });
  await world.join();
  await world.clock.settle();
  const [id = ""] = world.worker.containers.keys();
  world.worker.run(id);
  await world.asContainer(id, rpc.containerHello, {});
  const ask = (request: Asking = { inputConcurrency: 1 }) => world.asContainer(id, rpc.functionGetInputs, request);
  return { world, id, ask, [Symbol.asyncDispose]: () => world[Symbol.asyncDispose]() };
}

/** The reply, if it is there by now. */
async function soFar<T>(world: World, reply: Promise<T>): Promise<T | undefined> {
  let found: T | undefined;
  void reply.then((value) => (found = value));
  await world.clock.settle();
  return found;
}

const sizes = ({ inputs }: FunctionGetInputsResponse): number => inputs.length;

describe("a container that takes batches", () => {
  const batched = { batchMaxSize: 3, batchLingerMs: 400n };
  const asking: Asking = { inputConcurrency: 1, batchMaxSize: 3, batchLingerMs: 400n };

  it("is given a full one at once", async () => {
    await using it = await ready(batched);
    const asked = it.ask(asking);
    for (let i = 0; i < 3; i++) assert.equal(await soFar(it.world, asked), undefined);
    for (let i = 0; i < 3; i++) await it.world.submit(`${i}`);
    assert.equal(sizes((await soFar(it.world, asked)) ?? assert.fail("nothing yet")), 3);
  });

  it("that waited before there was anything is given what there is when its first input has lingered", async () => {
    await using it = await ready(batched);
    const asked = it.ask(asking);
    assert.equal(await soFar(it.world, asked), undefined);
    await it.world.submit("first");
    await it.world.clock.advance(300);
    await it.world.submit("second");
    await it.world.clock.advance(99);
    assert.equal(await soFar(it.world, asked), undefined);
    await it.world.clock.advance(1);
    assert.equal(sizes((await soFar(it.world, asked)) ?? assert.fail("nothing yet")), 2);
  });

  it("that asks later waits only for what is left of the linger", async () => {
    await using it = await ready(batched);
    await it.world.submit("first");
    await it.world.clock.advance(300);
    const asked = it.ask(asking);
    await it.world.clock.advance(99);
    assert.equal(await soFar(it.world, asked), undefined);
    await it.world.clock.advance(1);
    assert.equal(sizes((await soFar(it.world, asked)) ?? assert.fail("nothing yet")), 1);
  });

  it("has its input taken by another one, and waits on for the next", async () => {
    await using it = await ready(batched);
    const asked = it.ask(asking);
    const callId = await it.world.submit("cancelled while it lingers");
    await it.world.clock.advance(200);
    await it.world.asUser(rpc.functionCallCancel, { functionCallId: callId });
    await it.world.clock.advance(200);
    assert.equal(await soFar(it.world, asked), undefined);
    await it.world.submit("next");
    await it.world.clock.advance(399);
    assert.equal(await soFar(it.world, asked), undefined);
    await it.world.clock.advance(1);
    assert.equal(sizes((await soFar(it.world, asked)) ?? assert.fail("nothing yet")), 1);
  });

  it("that leaves while an input lingers leaves no timer and no waiter", async () => {
    await using it = await ready(batched);
    const leaves = new AbortController();
    const pending = it.world.clock.pending;
    const asked = it.world.asContainer(it.id, rpc.functionGetInputs, asking, { signal: leaves.signal });
    asked.catch(() => {}); // it leaves
    await it.world.submit("x");
    await it.world.clock.settle();
    assert.ok(it.world.clock.pending > pending);
    leaves.abort(new Error("gone"));
    await it.world.clock.settle();
    assert.equal((await it.world.server()).bells.waiting(inputsBell(it.world.functionId)), 0);
    assert.equal(it.world.clock.pending, pending);
  });
});
