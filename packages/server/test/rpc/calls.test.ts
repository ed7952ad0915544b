/** Calls from the caller's side, over the server's real parts: maps, cancelling, who called whom. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import {
  DataFormat,
  FunctionCallInvocationType,
  FunctionCallType,
  GenericResult_GenericStatus as Status,
} from "@lydian/contract";

import { isFail } from "../../src/errors.ts";
import { World, rpc } from "../support/world.ts";

const item = (idx: number, text = `${idx}`) => {
  const argsOneof = { case: "args" as const, value: new TextEncoder().encode(text) };
  return { idx, input: { argsOneof, dataFormat: DataFormat.PICKLE } };
};

const openMap = async (world: World, parentInputId = ""): Promise<string> => {
  const request = {
    functionId: world.functionId,
    parentInputId,
    functionCallType: FunctionCallType.MAP,
    functionCallInvocationType: FunctionCallInvocationType.SYNC,
  };
  return (await world.asUser(rpc.functionMap, request)).functionCallId;
};

const put = (world: World, functionCallId: string, ...indexes: number[]) =>
  world.asUser(rpc.functionPutInputs, { functionCallId, inputs: indexes.map((idx) => item(idx)) });

/** A container that has said hello. */
async function container(world: World): Promise<string> {
  await world.join();
  await world.clock.settle();
  const [id = ""] = world.worker.containers.keys();
  world.worker.run(id);
  await world.asContainer(id, rpc.containerHello, {});
  return id;
}

/** The container takes one input and answers with its own argument, or not at all. */
async function serve(world: World, id: string, status = Status.SUCCESS): Promise<string> {
  const { inputs } = await world.asContainer(id, rpc.functionGetInputs, { inputConcurrency: 1 });
  const { inputId = "", retryCount = 0, input } = inputs[0] ?? {};
  const result = { status, dataOneof: { case: "data" as const, value: input?.argsOneof.value as Uint8Array } };
  await world.asContainer(id, rpc.functionPutOutputs, { outputs: [{ inputId, retryCount, result }] });
  return inputId;
}

describe("a map", () => {
  it("is told how much it may send ahead, and has an id for each of its inputs", async () => {
    await using world = await World.begin();
    const request = {
      functionId: world.functionId,
      functionCallType: FunctionCallType.MAP,
      pipelinedInputs: [item(0)],
    };
    const made = await world.asUser(rpc.functionMap, request);
    assert.equal(made.maxInputsOutstanding, 1_000);
    const more = await put(world, made.functionCallId, 1, 2);
    const ids = [...made.pipelinedInputs, ...more.inputs].map(({ inputId }) => inputId);
    assert.equal(new Set(ids).size, 3);
    assert.deepEqual(
      more.inputs.map(({ idx, inputId, inputJwt }) => [idx, inputJwt === inputId]),
      [
        [1, true],
        [2, true],
      ],
    );
  });

  it("repeated in a part that was answered is not made twice", async () => {
    await using world = await World.begin();
    const functionCallId = await openMap(world);
    const key = world.newKey();
    const request = { functionCallId, inputs: [item(0), item(1)] };
    const first = await world.asUser(rpc.functionPutInputs, request, key);
    (await world.server()).kill();
    assert.deepEqual(await world.asUser(rpc.functionPutInputs, request, key), first);
    assert.equal((await world.counts()).queued, 2);
  });

  it("gives its outputs in the order in which they came, after the entry that the client has", async () => {
    await using world = await World.begin();
    const functionCallId = await openMap(world);
    await put(world, functionCallId, 0, 1, 2);
    const id = await container(world);
    const ask = (lastEntryId: string, maxValues = 10) =>
      world.asUser(rpc.functionGetOutputs, { functionCallId, lastEntryId, timeout: 0, maxValues });
    await serve(world, id);
    const first = await ask("0-0");
    assert.deepEqual([first.outputs.length, first.numUnfinishedInputs], [1, 2]);
    await serve(world, id);
    await serve(world, id);
    const rest = await ask(first.lastEntryId, 1);
    assert.deepEqual(rest.idxs, [1]);
    assert.deepEqual((await ask(rest.lastEntryId)).idxs, [2]);
    assert.deepEqual((await ask("0-0")).idxs, [0, 1, 2]);
  });
});

describe("the end of a map", () => {
  it("is there when its client has everything and says so; until then it takes more", async () => {
    await using world = await World.begin();
    const functionCallId = await openMap(world);
    await put(world, functionCallId, 0);
    const id = await container(world);
    await serve(world, id);
    await world.asUser(rpc.functionGetOutputs, { functionCallId, lastEntryId: "0-0", timeout: 0 });
    await put(world, functionCallId, 1);
    await serve(world, id);
    await world.asUser(rpc.functionGetOutputs, {
      functionCallId,
      lastEntryId: "0-0",
      timeout: 0,
      clearOnSuccess: true,
    });
    await world.clock.settle();
    await assert.rejects(put(world, functionCallId, 2), (error) => isFail(error, "failedPrecondition"));
  });

  it("is there when all is done that it was told to be complete with", async () => {
    await using world = await World.begin();
    const functionCallId = await openMap(world);
    await put(world, functionCallId, 0);
    for (let i = 0; i < 2; i++) await world.asUser(rpc.functionFinishInputs, { functionCallId });
    await assert.rejects(
      put(world, functionCallId, 1),
      (error) =>
        isFail(error, "failedPrecondition") &&
        error.message === `Function call ${functionCallId} takes no more inputs.`,
    );
    const found = await world.asUser(rpc.functionCallFromId, { functionCallId });
    assert.deepEqual([found.numInputs, found.metadata?.functionId], [1, world.functionId]);
  });
});

describe("a call that is cancelled", () => {
  it("takes no more inputs, is answered, and its container is told which input to stop", async () => {
    await using world = await World.begin();
    const functionCallId = await openMap(world);
    const made = await put(world, functionCallId, 0, 1);
    const id = await container(world);
    await world.asContainer(id, rpc.functionGetInputs, { inputConcurrency: 1 });
    const beat = world.asContainer(id, rpc.containerHeartbeat, {});
    await world.asUser(rpc.functionCallCancel, { functionCallId });
    assert.deepEqual((await beat).cancelInputEvent?.inputIds, [made.inputs[0]?.inputId]);
    const again = world.asContainer(id, rpc.containerHeartbeat, {});
    await world.clock.settle();
    const outputs = [{ inputId: made.inputs[0]?.inputId ?? "", result: { status: Status.TERMINATED } }];
    await world.asContainer(id, rpc.functionPutOutputs, { outputs });
    const all = await world.asUser(rpc.functionGetOutputs, { functionCallId, lastEntryId: "0-0", timeout: 0 });
    assert.deepEqual(
      all.outputs.map(({ result }) => [result?.status, result?.exception]),
      [
        [Status.TERMINATED, "The call was cancelled."],
        [Status.TERMINATED, "The call was cancelled."],
      ],
    );
    await assert.rejects(put(world, functionCallId, 2), (error) => isFail(error, "failedPrecondition"));
    const rested = await world.until(again, 20_000);
    assert.ok(rested > 10_000, "nothing else is to be stopped");
    world.check("after the cancellation");
  });

  it("and does not stop has its container killed, and its caller told", async () => {
    await using world = await World.begin();
    const functionCallId = await world.submit("stubborn");
    const id = await container(world);
    await world.asContainer(id, rpc.functionGetInputs, { inputConcurrency: 1 });
    await world.asUser(rpc.functionCallCancel, { functionCallId });
    const waiting = world.outputs(functionCallId);
    assert.ok((await world.until(waiting, 5_000)) <= 3_250);
    assert.equal((await waiting)[0]?.result?.status, Status.TERMINATED);
    await world.rest();
    assert.equal(world.worker.containers.has(id), false);
    const demand = await (await world.server()).store.read((tx) => tx.functions.demand(world.functionId));
    assert.equal(demand?.crashStreak, 0);
  });
});

describe("who called whom", () => {
  it("is the whole tree, from any call of it", async () => {
    await using world = await World.begin();
    const root = await openMap(world);
    await put(world, root, 0, 1);
    const id = await container(world);
    const parent = await serve(world, id);
    const child = await openMap(world, parent);
    await put(world, child, 0);
    for (const functionCallId of [root, child]) {
      const graph = await world.asUser(rpc.functionGetCallGraph, { functionCallId });
      assert.deepEqual(
        graph.functionCalls.map((call) => [call.functionCallId, call.parentInputId, call.functionName]),
        [
          [root, "", "hello"],
          [child, parent, "hello"],
        ],
      );
      assert.deepEqual(
        graph.inputs.map((input) => [input.functionCallId, input.status, input.taskId]),
        [
          [root, Status.SUCCESS, id],
          [root, Status.UNSPECIFIED, ""],
          [child, Status.UNSPECIFIED, ""],
        ],
      );
      assert.equal(graph.truncated, false);
    }
  });

  it("says when it is too much for one answer", async () => {
    await using world = await World.begin();
    const root = await openMap(world);
    for (let first = 0; first < 5_100; first += 850) {
      await put(world, root, ...Array.from({ length: 850 }, (_, n) => first + n));
    }
    const graph = await world.asUser(rpc.functionGetCallGraph, { functionCallId: root });
    assert.deepEqual([graph.inputs.length, graph.truncated], [5_000, true]);
  });
});
