/** Calls that are submitted and answered by one request, over the server's real parts. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import {
  call,
  DataFormat,
  FunctionCallInvocationType,
  FunctionCallType,
  GenericResult_GenericStatus as Status,
} from "@lydian/contract";

import { World, rpc } from "../support/world.ts";

const { call: method } = call.Calls.method;

const requestFor = (world: World, holdMs = 50_000) => {
  const argsOneof = { case: "args" as const, value: new TextEncoder().encode("x") };
  return {
    holdMs,
    call: {
      functionId: world.functionId,
      functionCallType: FunctionCallType.UNARY,
      functionCallInvocationType: FunctionCallInvocationType.SYNC,
      pipelinedInputs: [{ idx: 0, input: { argsOneof, dataFormat: DataFormat.CBOR } }],
    },
  };
};

/** A container that has said hello. */
async function container(world: World): Promise<string> {
  await world.join();
  await world.clock.settle();
  const [id = ""] = world.worker.containers.keys();
  world.worker.run(id);
  await world.asContainer(id, rpc.containerHello, {});
  return id;
}

async function serve(world: World, id: string): Promise<void> {
  const { inputs } = await world.asContainer(id, rpc.functionGetInputs, { inputConcurrency: 1 });
  const { inputId = "", retryCount = 0, input } = inputs[0] ?? {};
  const result = {
    status: Status.SUCCESS,
    dataOneof: { case: "data" as const, value: input?.argsOneof.value as Uint8Array },
  };
  await world.asContainer(id, rpc.functionPutOutputs, { outputs: [{ inputId, retryCount, result }] });
}

describe("a call that is answered at once", () => {
  it("has its output, and is forgotten like any that is acknowledged", async () => {
    await using world = await World.begin();
    const answer = world.asUser(method, requestFor(world));
    await serve(world, await container(world));
    const { output, functionCallId } = await answer;
    assert.equal(Buffer.from(output?.result?.dataOneof.value ?? "").toString(), "x");
    await world.clock.advance(1000);
    const { store } = await world.server();
    assert.notEqual((await store.read((tx) => tx.calls.get(functionCallId)))?.acknowledgedAt, undefined);
  });

  it("is the same call when it is asked again, whatever died meanwhile", async () => {
    await using world = await World.begin();
    const key = world.newKey();
    const id = (await world.asUser(method, requestFor(world, 0), key)).functionCallId;
    (await world.server()).kill();
    const again = world.asUser(method, requestFor(world), key);
    await serve(world, await container(world));
    const { output, functionCallId } = await again;
    assert.equal(functionCallId, id);
    assert.equal(output?.result?.status, Status.SUCCESS);
    assert.equal((await world.counts()).queued, 0);
  });

  it("that takes longer has an id, by which its output is asked for", async () => {
    await using world = await World.begin();
    const { functionCallId, output } = await world.asUser(method, requestFor(world, 0));
    assert.equal(output, undefined);
    const outputs = world.asUser(rpc.functionGetOutputs, { functionCallId, timeout: 50 });
    await serve(world, await container(world));
    assert.equal((await outputs).outputs.length, 1);
  });

  it("is cancelled by its key, also when it was never submitted", async () => {
    await using world = await World.begin();
    const key = world.newKey();
    const { functionCallId } = await world.asUser(method, requestFor(world, 0), key);
    assert.equal((await world.counts()).queued, 1);
    assert.equal((await world.asUser(method, { cancel: true }, key)).functionCallId, functionCallId);
    assert.equal((await world.counts()).queued, 0);
    assert.equal((await world.asUser(method, { cancel: true }, world.newKey())).functionCallId, "");
  });

  it("has one input", async () => {
    await using world = await World.begin();
    const { call: asked, holdMs } = requestFor(world);
    const none = world.asUser(method, { holdMs, call: { ...asked, pipelinedInputs: [] } });
    await assert.rejects(none, /has one input/);
  });
});
