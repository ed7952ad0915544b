/** Which inputs a container is known to have. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { Deliveries, type Poll } from "../../src/calls/deliveries.ts";

const poll = (idempotencyKey: string, signal = new AbortController().signal): Poll => ({
  caller: { id: "ta-1" },
  idempotencyKey,
  signal,
});

const inputs = (...ids: `in-${string}`[]) => ids.map((id) => ({ id, shape: "unary" as const }));

test("a container with one slot that asks has nothing", () => {
  const deliveries = new Deliveries();
  deliveries.sent(poll("a"), inputs("in-1"));
  assert.deepEqual([...deliveries.before(poll("b"), 1).keys()], []);
});

test("one with several has what was sent, until it is finished", () => {
  const deliveries = new Deliveries();
  assert.deepEqual([...deliveries.before(poll("a"), 5).keys()], []);
  deliveries.sent(poll("a"), inputs("in-1", "in-2"));
  deliveries.sent(poll("b"), inputs("in-3"));
  assert.deepEqual([...deliveries.before(poll("c"), 5).keys()], ["in-1", "in-2", "in-3"]);
  deliveries.finished("ta-1", ["in-2"]);
  assert.deepEqual([...deliveries.before(poll("d"), 5).keys()], ["in-1", "in-3"]);
});

test("a repeated request says that the last reply was lost", () => {
  const deliveries = new Deliveries();
  deliveries.sent(poll("a"), inputs("in-1"));
  deliveries.sent(poll("b"), inputs("in-2"));
  assert.deepEqual([...deliveries.before(poll("b"), 5).keys()], ["in-1"]);
});

test("who hung up has received nothing", () => {
  const deliveries = new Deliveries();
  deliveries.sent(poll("a", AbortSignal.abort()), inputs("in-1"));
  assert.deepEqual([...deliveries.before(poll("b"), 5).keys()], []);
});

test("which inputs are web requests is known of those that were sent", () => {
  const deliveries = new Deliveries();
  deliveries.sent(poll("a"), [{ id: "in-1", shape: "web" }, ...inputs("in-2")]);
  const areOfWeb = (...ids: string[]): boolean => deliveries.areOfWeb("ta-1", ids);
  assert.deepEqual([areOfWeb("in-1"), areOfWeb("in-1", "in-2"), areOfWeb("in-3")], [true, false, false]);
});

test("nothing is known of a container that is gone", () => {
  const deliveries = new Deliveries();
  deliveries.sent(poll("a"), inputs("in-1"));
  deliveries.forget("ta-1");
  assert.deepEqual([...deliveries.before(poll("b"), 5).keys()], []);
});

test("a container is told once to stop an attempt, and again to stop the next one", () => {
  const deliveries = new Deliveries();
  const first = { id: "in-1", attempt: 1 } as const;
  const second = { id: "in-2", attempt: 1 } as const;
  assert.deepEqual(deliveries.tellToStop("ta-1", []), []);
  assert.deepEqual(deliveries.tellToStop("ta-1", [first]), ["in-1"]);
  assert.deepEqual(deliveries.tellToStop("ta-1", [first, second]), ["in-2"]);
  assert.deepEqual(deliveries.tellToStop("ta-1", [first, second]), []);
  assert.deepEqual(deliveries.tellToStop("ta-1", [{ ...first, attempt: 2 }]), ["in-1"]);
  assert.deepEqual(deliveries.tellToStop("ta-2", [first]), ["in-1"], "each container is told by itself");
});

test("who was told to stop is told again by a server that knows nothing of it, and after its end nothing is kept", () => {
  const deliveries = new Deliveries();
  const input = { id: "in-1", attempt: 1 } as const;
  deliveries.tellToStop("ta-1", [input]);
  assert.deepEqual(new Deliveries().tellToStop("ta-1", [input]), ["in-1"]);
  deliveries.forget("ta-1");
  assert.deepEqual(deliveries.tellToStop("ta-1", [input]), ["in-1"]);
});

test("telling to stop does not change what it is known to have", () => {
  const deliveries = new Deliveries();
  deliveries.sent(poll("a"), inputs("in-1"));
  deliveries.tellToStop("ta-1", [{ id: "in-1", attempt: 1 }]);
  assert.deepEqual([...deliveries.before(poll("b"), 5).keys()], ["in-1"]);
});
