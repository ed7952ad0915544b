/** Inputs that end become spans of one tree for all that one call leads to. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { silentLogger } from "@lydian/kit";

import type { Hear, InputEnded } from "../../src/domain/happening.ts";
import { type Span, spansOf } from "../../src/traces/spans.ts";
import { Tracer } from "../../src/traces/tracer.ts";
import { testStore } from "../support/open-store.ts";

const ended = (over: Partial<InputEnded["input"]> = {}, call: Partial<InputEnded["call"]> = {}): InputEnded => ({
  kind: "inputEnded",
  status: "success",
  startedAt: 130,
  endedAt: 200,
  input: {
    ...{
      id: "in-1",
      callId: "fc-1",
      functionId: "fu-1",
      index: 0,
      state: "done",
      payload: new Uint8Array(),
      method: "",
    },
    ...{ attempt: 1, failures: 0, crashes: 0, containerId: "ta-1", claimedAt: 120, queuedAt: 50, dueAt: undefined },
    ending: undefined,
    ...over,
  },
  call: {
    ...{ id: "fc-1", functionId: "fu-1", appId: "ap-1", state: "finished", shape: "unary", invocation: "sync" },
    ...{
      parentInputId: "",
      inputs: 1,
      unfinished: 0,
      failed: 0,
      createdAt: 50,
      finishedAt: 200,
      acknowledgedAt: undefined,
    },
    ...call,
  },
});

const around = { rootCallId: "fc-1", app: "app", environment: "main", function: "f", container: undefined };

const times = (spans: readonly Span[]) => spans.map(({ name, start, end }) => [name, start, end]);

test("an input waits, for a container's start where that kept it, and runs", () => {
  const cold = { ...around, container: { createdAt: 60, readyAt: 110 } };
  assert.deepEqual(times(spansOf(ended(), cold)), [
    ["app.f", 50, 200],
    ["wait", 50, 120],
    ["container start", 60, 110],
    ["run", 120, 200],
  ]);
  const warm = { ...around, container: { createdAt: 10, readyAt: 40 } };
  assert.deepEqual(times(spansOf(ended(), warm)).length, 3);
});

test("one that no container ever had only waited", () => {
  const spans = spansOf({ ...ended({ claimedAt: undefined, containerId: undefined }), status: "terminated" }, around);
  assert.deepEqual(times(spans), [
    ["app.f", 50, 200],
    ["wait", 50, 200],
  ]);
  assert.equal(spans[0]?.error, "terminated");
});

test("what its code calls lies below it, in the same trace", () => {
  const [outer] = spansOf(ended(), around);
  const [inner] = spansOf(ended({ id: "in-2" }, { id: "fc-2", parentInputId: "in-1" }), around);
  assert.equal(inner?.traceId, outer?.traceId);
  assert.equal(inner?.parentId, outer?.id);
  assert.notEqual(inner?.id, outer?.id);
});

test("the tracer tells what it hears, though the app is forgotten, and closes its sink last", async () => {
  await using it = await testStore();
  const told: string[] = [];
  const sink = { put: ({ name }: Span) => void told.push(name), close: async () => void told.push("closed") };
  const tracer = new Tracer({ store: it.store, sink, log: silentLogger });
  const hear: Hear = (happening) => tracer.hear(happening);
  hear(ended());
  hear({ kind: "inputsQueued", count: 1 });
  await tracer.close();
  assert.deepEqual(told, ["ap-1.fu-1", "wait", "run", "closed"]);
});
