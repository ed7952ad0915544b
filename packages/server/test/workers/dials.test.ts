/** Connections that workers are asked for: each is its asker's, once, and none outlives its container. */
import assert from "node:assert/strict";
import { Socket } from "node:net";
import { it } from "node:test";

import { Bells } from "@lydian/kit";
import { ManualClock } from "@lydian/testkit";

import { workerBell } from "../../src/domain/bells.ts";
import { isFail } from "../../src/errors.ts";
import { Dials } from "../../src/workers/dials.ts";
import type { ToWorker } from "../../src/workers/sessions.ts";

const container = { id: "ta-1", fence: "f", workerId: "local" } as const;

function dialing() {
  const asked: string[] = [];
  const clock = new ManualClock();
  const push = (_workerId: string, { message }: ToWorker): boolean => {
    if (message?.case === "dial") asked.push(message.value.secret ?? "");
    return true;
  };
  const bells = new Bells();
  return { dials: new Dials({ bells, clock }, push), asked, clock, bells };
}

it("a connection is its asker's, and a secret is good for one", async () => {
  const { dials, asked } = dialing();
  const opened = dials.open(container, 8000);
  const [secret = ""] = asked;
  const socket = new Socket();
  assert.equal(dials.take("another", new Socket()), false);
  assert.equal(dials.take(secret, socket), true);
  assert.equal(await opened, socket);
  assert.equal(dials.take(secret, new Socket()), false);
  dials.cut("ta-2");
  assert.equal(socket.destroyed, false);
  dials.cut(container.id);
  assert.equal(socket.destroyed, true);
});

it("none comes where nothing listens, where no worker is, or after too long", async () => {
  const unavailable = (error: unknown): boolean => isFail(error, "unavailable");
  const { dials, asked, clock } = dialing();
  const refused = dials.open(container, 8000);
  dials.failed(asked[0] ?? "", "refused");
  await assert.rejects(refused, unavailable);
  const late = dials.open(container, 8000);
  const rejected = assert.rejects(late, (error) => isFail(error, "aborted"));
  await clock.advance(60_000);
  await rejected;
  assert.equal(dials.take(asked[1] ?? "", new Socket()), false);
  assert.equal(clock.pending, 0);
});

it("a worker that comes back is asked for the same again, and one that has brought it is not", async () => {
  const { dials, asked, clock, bells } = dialing();
  const opened = dials.open(container, 8000);
  bells.ring(workerBell("another"));
  await clock.settle();
  assert.equal(asked.length, 1);
  bells.ring(workerBell(container.workerId));
  await clock.settle();
  const [secret = "", again] = asked;
  assert.equal(again, secret);
  const socket = new Socket();
  assert.equal(dials.take(secret, socket), true);
  assert.equal(await opened, socket);
  bells.ring(workerBell(container.workerId));
  await clock.settle();
  assert.deepEqual([asked.length, clock.pending], [2, 0]);
});
