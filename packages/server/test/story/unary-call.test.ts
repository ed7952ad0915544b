/**
 * The story of one call, from a client's request to the last trace of it, through the server's real parts in the order
 * of the ten files that ARCHITECTURE.md names. The port and the adapter before the RPCs have stories of their own.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import { fromBinary } from "@bufbuild/protobuf";
import { ContainerArgumentsSchema, DataFormat, GenericResult_GenericStatus as Status } from "@lydian/contract";

import { type Counts, World, rpc } from "../support/world.ts";

const files = [
  "ingress/port.ts",
  "rpc/adapter.ts",
  "rpc/calls.ts",
  "calls/submit.ts",
  "store/sqlite.ts",
  "scheduler/loop.ts",
  "workers/sessions.ts",
  "calls/claim.ts",
  "calls/complete.ts",
  "calls/await.ts",
];

const none: Counts = { queued: 0, claimed: 0, held: 0, unfinished: 0 };
const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

test("a call goes from its client to a container and back, and is forgotten", async (story) => {
  await using world = await World.begin();
  const { clock, worker } = world;
  const containers = () => world.server().then(({ store }) => store.read((tx) => tx.containers.alive()));
  const step = async (name: string, act: () => Promise<void>): Promise<void> => {
    await story.test(name, act);
    world.check(`after: ${name}`);
  };

  let callId = "";
  let containerId = "";
  let inputId = "";

  await step(
    `${files[2]} and ${files[3]}: the client's FunctionMap becomes a call with one input that waits`,
    async () => {
      callId = await world.submit("world");
      assert.match(callId, /^fc-/);
      assert.deepEqual(await world.counts(), { ...none, queued: 1, unfinished: 1 });
    },
  );

  await step(`${files[4]}: it is on disk, and a request that comes twice is one call`, async () => {
    const key = world.newKey();
    const twice = [await world.submit("again", key), await world.submit("again", key)];
    assert.equal(twice[0], twice[1]);
    const server = await world.server();
    server.kill(); // what was answered outlives the process
    assert.equal(await world.submit("again", key), twice[0]);
    assert.deepEqual(await world.counts(), { ...none, queued: 2, unfinished: 2 });
  });

  await step(`${files[5]}: nobody can run it yet; when a worker joins, each input gets a container`, async () => {
    assert.deepEqual(await containers(), []);
    await world.join();
    await clock.settle();
    const started = await containers();
    assert.deepEqual(
      started.map(({ workerId }) => workerId),
      ["local", "local"],
    );
    containerId = started[0]?.id ?? "";
  });

  await step(`${files[6]}: the worker was given all that it needs, and says that it prepares it`, async () => {
    const held = worker.containers.get(containerId);
    const python = held?.spec?.runner?.kind.value;
    const { functionDef, taskId } = fromBinary(ContainerArgumentsSchema, python?.arguments ?? new Uint8Array());
    assert.deepEqual([functionDef?.functionName, taskId, python?.python], ["hello", containerId, "3.11"]);
    assert.deepEqual(
      (await containers()).map(({ state }) => state),
      ["starting", "starting"],
    );
    worker.run(containerId);
  });

  await step("the container's door says who it is", async () => {
    const { resolveDoor } = await world.server();
    const secret = worker.containers.get(containerId)?.doorSecret ?? "";
    assert.deepEqual(await resolveDoor(secret), { kind: "container", id: containerId });
  });

  await step(`${files[7]}: it says hello, asks for inputs, and holds this one`, async () => {
    await world.asContainer(containerId, rpc.containerHello, {});
    const { inputs } = await world.asContainer(containerId, rpc.functionGetInputs, { inputConcurrency: 1 });
    assert.equal(inputs.length, 1);
    const [given] = inputs;
    assert.equal(given?.functionCallId, callId, "the oldest");
    assert.equal(decode((given?.input?.argsOneof.value ?? new Uint8Array()) as Uint8Array), "world");
    inputId = given?.inputId ?? "";
    assert.deepEqual(await world.counts(), { queued: 1, claimed: 1, held: 1, unfinished: 2 });
  });

  await step(`${files[8]}: its output ends the call, in the same unit as all counts`, async () => {
    const data = new TextEncoder().encode("hello world");
    const result = { status: Status.SUCCESS, dataOneof: { case: "data" as const, value: data } };
    const outputs = [{ inputId, result, dataFormat: DataFormat.PICKLE }];
    const waiting = world.outputs(callId);
    await clock.settle();
    await world.asContainer(containerId, rpc.functionPutOutputs, { outputs });
    await world.asContainer(containerId, rpc.functionPutOutputs, { outputs });
    assert.deepEqual(await world.counts(), { ...none, queued: 1, unfinished: 1 });
    const [output, ...more] = await waiting;
    assert.deepEqual(more, []);
    assert.equal(output?.taskId, containerId);
    assert.equal(decode((output?.result?.dataOneof.value ?? new Uint8Array()) as Uint8Array), "hello world");
  });

  await step(`${files[9]}: the client has its output, says so, and the call is forgotten`, async () => {
    const server = await world.server();
    const kept = () => server.store.read(async (tx) => (await tx.calls.get(callId))?.acknowledgedAt);
    await clock.settle();
    assert.equal(await kept(), clock.now());
    await clock.advance(11 * 60_000);
    assert.equal(await server.store.read((tx) => tx.calls.get(callId)), undefined);
    assert.equal(await server.store.read((tx) => tx.inputs.get(inputId)), undefined);
    assert.deepEqual(await server.store.read((tx) => tx.outputs.after(callId, 0, 9)), []);
  });
});

test("ARCHITECTURE.md names these files in this order", async () => {
  const page = await readFile(join(import.meta.dirname, "..", "..", "..", "..", "ARCHITECTURE.md"), "utf8");
  const section = page.split("### The life of a call")[1]?.split("\n#")[0] ?? "";
  const named = [...section.matchAll(/^\d+\. \[[^\]]*\]\(packages\/server\/src\/([^)]+)\)/gm)].map(([, file]) => file);
  assert.deepEqual(named, files);
});
