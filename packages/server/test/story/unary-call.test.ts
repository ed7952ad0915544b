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

import type { Container } from "../../src/domain/container.ts";
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
] as const;

/** What is known of the call on its way. */
interface Journey {
  world: World;
  callId: string;
  containerId: string;
  inputId: string;
}

type Step = readonly [
  file: (typeof files)[number] | "workers/doors.ts",
  what: string,
  act: (on: Journey) => Promise<void>,
];

const none: Counts = { queued: 0, claimed: 0, delayed: 0, held: 0, unfinished: 0 };
const decode = (bytes: unknown): string => new TextDecoder().decode(bytes as Uint8Array);

const containersIn = async (world: World): Promise<Container[]> =>
  await (await world.server()).store.read((tx) => tx.containers.alive());

const untilItRuns: readonly Step[] = [
  [
    "calls/submit.ts",
    "the client's FunctionMap becomes a call with one input that waits",
    async (on) => {
      on.callId = await on.world.submit("world");
      assert.match(on.callId, /^fc-/);
      assert.deepEqual(await on.world.counts(), { ...none, queued: 1, unfinished: 1 });
    },
  ],
  [
    "store/sqlite.ts",
    "it is on disk, and a request that comes twice is one call",
    async ({ world }) => {
      const key = world.newKey();
      const first = await world.submit("again", key);
      assert.equal(await world.submit("again", key), first);
      (await world.server()).kill(); // what was answered outlives the process
      assert.equal(await world.submit("again", key), first);
      assert.deepEqual(await world.counts(), { ...none, queued: 2, unfinished: 2 });
    },
  ],
  [
    "scheduler/loop.ts",
    "nobody can run it yet; when a worker joins, each input gets a container",
    async (on) => {
      assert.deepEqual(await containersIn(on.world), []);
      await on.world.join();
      await on.world.clock.settle();
      const started = await containersIn(on.world);
      assert.deepEqual(
        started.map(({ workerId }) => workerId),
        ["local", "local"],
      );
      on.containerId = started[0]?.id ?? "";
    },
  ],
  [
    "workers/sessions.ts",
    "the worker was given all that it needs, and says that it prepares it",
    async ({ world, containerId }) => {
      const runner = world.worker.containers.get(containerId)?.spec?.runner?.kind;
      assert.ok(runner?.case === "python");
      const { functionDef, taskId } = fromBinary(ContainerArgumentsSchema, runner.value.arguments);
      assert.deepEqual([functionDef?.functionName, taskId, runner.value.python], ["hello", containerId, "3.11"]);
      const states = (await containersIn(world)).map(({ state }) => state);
      assert.deepEqual(states, ["assigned", "assigned"]);
      world.worker.run(containerId);
    },
  ],
  [
    "workers/doors.ts",
    "the container's door says who it is",
    async ({ world, containerId }) => {
      const { resolveDoor } = await world.server();
      const secret = world.worker.containers.get(containerId)?.doorSecret ?? "";
      assert.deepEqual(await resolveDoor(secret), { kind: "container", id: containerId });
    },
  ],
];

const untilItIsForgotten: readonly Step[] = [
  [
    "calls/claim.ts",
    "the container says hello, asks for inputs, and holds this one",
    async (on) => {
      const { world, containerId } = on;
      await world.asContainer(containerId, rpc.containerHello, {});
      const { inputs } = await world.asContainer(containerId, rpc.functionGetInputs, { inputConcurrency: 1 });
      assert.equal(inputs.length, 1);
      assert.equal(inputs[0]?.functionCallId, on.callId, "the oldest");
      assert.equal(decode(inputs[0]?.input?.argsOneof.value), "world");
      on.inputId = inputs[0]?.inputId ?? "";
      assert.deepEqual(await world.counts(), { ...none, queued: 1, claimed: 1, held: 1, unfinished: 2 });
    },
  ],
  [
    "calls/complete.ts",
    "its output ends the call, once, and wakes the client that waits",
    async ({ world, callId, containerId, inputId }) => {
      const value = new TextEncoder().encode("hello world");
      const result = { status: Status.SUCCESS, dataOneof: { case: "data" as const, value } };
      const request = { outputs: [{ inputId, result, dataFormat: DataFormat.PICKLE }] };
      const waiting = world.outputs(callId);
      await world.clock.settle();
      for (let i = 0; i < 2; i++) await world.asContainer(containerId, rpc.functionPutOutputs, request);
      assert.deepEqual(await world.counts(), { ...none, queued: 1, unfinished: 1 });
      const [output, ...more] = await waiting;
      assert.deepEqual(more, []);
      assert.equal(output?.taskId, containerId);
      assert.equal(decode(output?.result?.dataOneof.value), "hello world");
    },
  ],
  [
    "calls/await.ts",
    "the client has its output and says so, and the call is forgotten",
    async ({ world, callId, inputId }) => {
      const { store } = await world.server();
      await world.clock.settle();
      const kept = await store.read((tx) => tx.calls.get(callId));
      assert.equal(kept?.acknowledgedAt, world.clock.now());
      await world.clock.advance(12 * 60_000);
      await store.read(async (tx) => {
        assert.equal(await tx.calls.get(callId), undefined);
        assert.equal(await tx.inputs.get(inputId), undefined);
        assert.deepEqual(await tx.outputs.after(callId, 0, 9), []);
      });
    },
  ],
];

test("a call goes from its client to a container and back, and is forgotten", async (story) => {
  await using world = await World.begin();
  const journey: Journey = { world, callId: "", containerId: "", inputId: "" };
  for (const [file, what, act] of [...untilItRuns, ...untilItIsForgotten]) {
    await story.test(`${file}: ${what}`, () => act(journey));
    world.check(`after ${file}`);
  }
});

test("ARCHITECTURE.md names these files in this order, and the story passes them in it", async () => {
  const page = await readFile(join(import.meta.dirname, "..", "..", "..", "..", "ARCHITECTURE.md"), "utf8");
  const section = page.split("### The life of a call")[1]?.split("\n#")[0] ?? "";
  const named = [...section.matchAll(/^\d+\. \[[^\]]*\]\(packages\/server\/src\/([^)]+)\)/gm)].map(([, file]) => file);
  assert.deepEqual(named, files);
  const passed = [...untilItRuns, ...untilItIsForgotten].map(([file]) => files.findIndex((named) => named === file));
  const known = passed.filter((place) => place >= 0);
  assert.deepEqual(known, [3, 4, 5, 6, 7, 8, 9]);
});
