/** What containers ask for and report, over the server's real parts: batches, several at a time, cancelling, streams. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type FunctionGetInputsRequestSchema,
  type FunctionGetInputsResponse,
  type FunctionSchema$,
  GenericResult_GenericStatus as Status,
  worker as wire,
} from "@lydian/contract";

import { inputsBell } from "../../src/domain/bells.ts";
import { isFail } from "../../src/errors.ts";
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
    const asks = (): AbortController => {
      const leaves = new AbortController();
      const { signal } = leaves;
      it.world.asContainer(it.id, rpc.functionGetInputs, asking, { signal }).catch(() => {}); // it leaves
      return leaves;
    };
    const leave = async (leaves: AbortController): Promise<void> => {
      await it.world.clock.settle();
      leaves.abort(new Error("gone"));
      await it.world.clock.settle();
    };
    await leave(asks()); // from here on it is ready, and its start has no deadline any more
    const { pending } = it.world.clock;
    const leaves = asks();
    await it.world.submit("x");
    await it.world.clock.settle();
    assert.ok(it.world.clock.pending > pending);
    await leave(leaves);
    assert.equal((await it.world.server()).bells.waiting(inputsBell(it.world.functionId)), 0);
    assert.equal(it.world.clock.pending, pending);
  });
});

describe("an attempt's number", () => {
  const retrying = { retryPolicy: { retries: 2, initialDelayMs: 0, backoffCoefficient: 1, maxDelayMs: 1_000 } };

  it("is one more for each attempt, and the same however often one is handed out", async () => {
    await using it = await ready(retrying);
    await it.world.submit("x");
    const numbers: number[] = [];
    for (const isRepeated of [false, true, false, false]) {
      const { inputs } = await it.ask();
      const { inputId = "", retryCount = -1 } = inputs[0] ?? {};
      numbers.push(retryCount);
      if (isRepeated || numbers.length === 1) continue; // its reply was lost
      const outputs = [{ inputId, retryCount, result: { status: Status.FAILURE, exception: "it raised" } }];
      await it.world.asContainer(it.id, rpc.functionPutOutputs, { outputs });
    }
    assert.deepEqual(numbers, [0, 0, 0, 1]);
  });

  it("that is over makes an output count for nothing, though the container has the input again", async () => {
    await using it = await ready(retrying);
    const callId = await it.world.submit("x");
    const say = (inputId: string, retryCount: number, status: Status) => {
      const outputs = [{ inputId, retryCount, result: { status, exception: `attempt ${retryCount}` } }];
      return it.world.asContainer(it.id, rpc.functionPutOutputs, { outputs });
    };
    const first = (await it.ask()).inputs[0];
    await say(first?.inputId ?? "", 0, Status.FAILURE);
    await it.ask();
    await say(first?.inputId ?? "", 0, Status.SUCCESS);
    assert.equal((await it.world.counts()).claimed, 1);
    await say(first?.inputId ?? "", 1, Status.SUCCESS);
    const [output] = await it.world.outputs(callId);
    assert.equal(output?.result?.exception, "attempt 1");
  });
});

describe("a container for one input", () => {
  it("is told to end after it, and the next input gets another one", async () => {
    await using it = await ready({ singleUseContainers: true });
    await it.world.submit("first");
    const { inputId = "" } = (await it.ask()).inputs[0] ?? {};
    await it.world.submit("second");
    const outputs = [{ inputId, result: { status: Status.SUCCESS } }];
    await it.world.asContainer(it.id, rpc.functionPutOutputs, { outputs });
    assert.equal((await it.ask()).inputs[0]?.killSwitch, true);
    await it.world.clock.settle();
    const others = [...it.world.worker.containers.keys()].filter((id) => id !== it.id);
    assert.ok(others.length > 0);
    it.world.worker.exit(it.id, { reason: wire.Exit_Reason.EXITED });
    await it.world.clock.settle();
    const demand = await (await it.world.server()).store.read((tx) => tx.functions.demand(it.world.functionId));
    assert.equal(demand?.crashStreak, 0);
  });

  it("that does not end after it is killed", async () => {
    await using it = await ready({ singleUseContainers: true });
    await it.world.submit("x");
    const { inputId = "" } = (await it.ask()).inputs[0] ?? {};
    const pass = async (ms: number): Promise<void> => {
      for (let left = ms; left > 0; left -= 5_000) {
        await it.world.clock.advance(5_000);
        await it.world.keepAlive();
      }
    };
    await pass(40_000);
    assert.equal(it.world.worker.containers.has(it.id), true, "it may take its time for the input");
    await it.world.asContainer(it.id, rpc.functionPutOutputs, {
      outputs: [{ inputId, result: { status: Status.SUCCESS } }],
    });
    await pass(25_000);
    assert.equal(it.world.worker.containers.has(it.id), true);
    await pass(5_000);
    assert.equal(it.world.worker.containers.has(it.id), false);
  });
});

describe("a container that runs several inputs side by side", () => {
  const asking: Asking = { inputConcurrency: 3 };

  it("has each of them once, also over a restart of the server, which hands out again what it holds", async () => {
    await using it = await ready({ maxConcurrentInputs: 3 });
    for (const text of ["a", "b", "c"]) await it.world.submit(text);
    const ids: string[] = [];
    for (let i = 0; i < 2; i++) ids.push((await it.ask(asking)).inputs[0]?.inputId ?? "");
    assert.equal(new Set(ids).size, 2);
    (await it.world.server()).kill();
    const again = (await it.ask(asking)).inputs[0];
    assert.deepEqual([again?.inputId, again?.retryCount], [ids[0], 0], "the container knows it and skips it");
    const rest = [(await it.ask(asking)).inputs[0]?.inputId, (await it.ask(asking)).inputs[0]?.inputId];
    assert.equal(rest[0], ids[1]);
    assert.equal(ids.includes(rest[1] ?? ""), false);
    assert.equal((await it.world.counts()).held, 3);
  });

  it("goes beyond its target only while inputs wait", async () => {
    await using it = await ready({ maxConcurrentInputs: 3, targetConcurrentInputs: 1 });
    const concurrency = async (): Promise<number> => {
      const request = { targetConcurrency: 1, maxConcurrency: 3 };
      return (await it.world.asContainer(it.id, rpc.functionGetDynamicConcurrency, request)).concurrency;
    };
    assert.equal(await concurrency(), 1);
    await it.world.submit("x");
    assert.equal(await concurrency(), 3);
    await it.ask(asking);
    assert.equal(await concurrency(), 1);
  });
});

describe("a container of a function that may not use the platform", () => {
  it("may take inputs and give outputs, and nothing that users may", async () => {
    await using it = await ready({ untrusted: true });
    await it.world.submit("x");
    const caller = { kind: "container", id: it.id, restricted: true } as const;
    const server = await it.world.server();
    const { inputs } = await server.call(rpc.functionGetInputs, { inputConcurrency: 1 }, { caller });
    const outputs = [{ inputId: inputs[0]?.inputId ?? "", result: { status: Status.SUCCESS } }];
    await server.call(rpc.functionPutOutputs, { outputs }, { caller });
    await assert.rejects(server.call(rpc.functionMap, { functionId: it.world.functionId }, { caller }), (error) =>
      isFail(error, "permissionDenied"),
    );
    const secret = it.world.worker.containers.get(it.id)?.doorSecret ?? "";
    assert.deepEqual(await server.resolveDoor(secret), { kind: "restricted", id: it.id });
  });
});
