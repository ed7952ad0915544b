/** What happens to inputs at a moment in time: those that were delayed wait again, those that do not stop are given up. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { fromBinary } from "@bufbuild/protobuf";
import { GenericResultSchema, GenericResult_GenericStatus as Status } from "@lydian/contract";
import { silentLogger } from "@lydian/kit";

import { Alarms } from "../../src/calls/alarms.ts";
import { cancelCall } from "../../src/calls/cancel.ts";
import { claimInputs } from "../../src/calls/claim.ts";
import { completeInputs } from "../../src/calls/complete.ts";
import { transition } from "../../src/calls/transition.ts";
import { timesSchema } from "../../src/config.ts";
import { endContainer } from "../../src/containers/end.ts";
import { inputsBell } from "../../src/domain/bells.ts";
import type { RetryPolicy } from "../../src/domain/retry.ts";
import type { Store } from "../../src/domain/store.ts";
import { assertInvariants } from "../support/invariants.ts";
import { countRings, testStore } from "../support/open-store.ts";
import { claimRequest, failed, plantCall, plantContainer, plantFunction } from "../support/rows.ts";

const times = timesSchema.parse({});
const retry: RetryPolicy = { retries: 2, initialMs: 5_000, factor: 2, maxMs: 60_000 };

/** Alarms that run, a function, and a container; `looks` counts how often the store was read. */
async function running(wrap: (store: Store) => Store = (store) => store) {
  const test = await testStore();
  const { of, containerId } = await test.does(async (tx, context) => {
    const of = await plantFunction(tx, context, { policy: { retry } });
    return { of, containerId: (await plantContainer(tx, of, context)).id };
  });
  let looks = 0;
  const counting: Store = { ...test.store, read: (unit) => (looks++, test.store.read(unit)) };
  const start = (): Alarms => {
    const alarms = new Alarms({ ...test, store: wrap(counting), times, log: silentLogger });
    alarms.start();
    return alarms;
  };
  const alarms = start();
  await test.clock.settle();
  /** A call whose input the container has. */
  const claimed = () =>
    test.does(async (tx, context) => {
      const made = await plantCall(tx, of, context);
      const input = await tx.inputs.get(made.inputId);
      if (input !== undefined) await transition(tx, input, { kind: "claim", containerId }, context);
      return made;
    });
  const raise = (inputId: string, attempt = 1) =>
    test.does((tx, context) => completeInputs(tx, containerId, [failed(inputId, { attempt })], context));
  const stop = (inputId: string, status: "timeout" | "terminated") =>
    test.does(async (tx, context) => {
      const input = await tx.inputs.get(inputId);
      if (input !== undefined)
        await transition(tx, input, { kind: "stop", failure: { status, message: "x" } }, context);
    });
  const input = (inputId: string) => test.store.read((tx) => tx.inputs.get(inputId));
  const container = () => test.store.read((tx) => tx.containers.get(containerId));
  return {
    ...test,
    of,
    containerId,
    alarms,
    start,
    claimed,
    raise,
    stop,
    input,
    container,
    looks: () => looks,
    async [Symbol.asyncDispose]() {
      await alarms.close();
      assert.equal(test.clock.pending, 0, "nothing is left behind");
      assertInvariants(test.file);
      await test[Symbol.asyncDispose]();
    },
  };
}

describe("a delayed input", () => {
  it("waits again at its time, to the millisecond, and those who can take it are woken", async () => {
    await using it = await running();
    const { inputId } = await it.claimed();
    await it.raise(inputId);
    const rings = countRings(it.bells, inputsBell(it.of.id));
    await it.clock.advance(4_999);
    assert.deepEqual([(await it.input(inputId))?.state, rings.count], ["delayed", 0]);
    await it.clock.advance(1);
    const input = await it.input(inputId);
    assert.deepEqual([input?.state, input?.queuedAt, rings.count], ["queued", it.clock.now(), 1]);
    await rings.stop();
  });

  it("has longer to wait each time", async () => {
    await using it = await running();
    const { inputId } = await it.claimed();
    await it.raise(inputId);
    await it.clock.advance(5_000);
    await it.does((tx, context) => claimInputs(tx, claimRequest(it.containerId), context));
    await it.raise(inputId, 2);
    await it.clock.advance(9_999);
    assert.equal((await it.input(inputId))?.state, "delayed");
    await it.clock.advance(1);
    assert.equal((await it.input(inputId))?.state, "queued");
  });

  it("does not make a later one wait, nor an earlier one that comes after it", async () => {
    await using it = await running();
    const [first, second] = [await it.claimed(), await it.claimed()];
    await it.raise(first.inputId);
    await it.clock.advance(2_000);
    await it.raise(second.inputId);
    await it.does((tx) =>
      tx.functions.put({ ...it.of, policy: { ...it.of.policy, retry: { ...retry, initialMs: 500 } } }),
    );
    const third = await it.claimed();
    await it.raise(third.inputId);
    const states = async (): Promise<unknown[]> =>
      await Promise.all([first, second, third].map(async ({ inputId }) => (await it.input(inputId))?.state));
    await it.clock.advance(500);
    assert.deepEqual(await states(), ["delayed", "delayed", "queued"]);
    await it.clock.advance(2_500);
    assert.deepEqual(await states(), ["queued", "delayed", "queued"]);
    await it.clock.advance(2_000);
    assert.deepEqual(await states(), ["queued", "queued", "queued"]);
  });

  it("whose time came while nobody looked waits again as soon as somebody does", async () => {
    await using it = await running();
    const { inputId } = await it.claimed();
    await it.raise(inputId);
    await it.alarms.close();
    await it.clock.advance(60_000);
    assert.equal((await it.input(inputId))?.state, "delayed");
    const next = it.start();
    await it.clock.settle();
    assert.equal((await it.input(inputId))?.state, "queued");
    await next.close();
  });

  it("is one of many: all that are due wait again, beyond what is done at a time", async () => {
    await using it = await running();
    await it.does(async (tx, context) => {
      for (let i = 0; i < 1_100; i++) {
        const { inputId } = await plantCall(tx, it.of, context);
        const input = await tx.inputs.get(inputId);
        if (input === undefined) continue;
        const claimed = await transition(tx, input, { kind: "claim", containerId: it.containerId }, context);
        const report = { containerId: it.containerId, attempt: 1, outcome: "failure", retry } as const;
        if (claimed !== undefined) await transition(tx, claimed, { kind: "report", ...report }, context);
      }
    });
    await it.clock.advance(5_000);
    const demand = await it.store.read((tx) => tx.functions.demand(it.of.id));
    assert.deepEqual([demand?.delayed, demand?.queued], [0, 1_100]);
  });
});

describe("an input that is to be stopped", () => {
  it("is given up with its container when it has not stopped in time", async () => {
    await using it = await running();
    const { callId, inputId } = await it.claimed();
    await it.does((tx, context) => cancelCall(tx, { callId, endContainers: false }, context));
    await it.clock.advance(times.stopGrace - 1);
    assert.deepEqual([(await it.input(inputId))?.state, (await it.container())?.state], ["claimed", "ready"]);
    await it.clock.advance(1);
    const container = await it.container();
    assert.equal((await it.input(inputId))?.state, "done");
    assert.deepEqual([container?.state, container?.killAt, container?.held], ["draining", it.clock.now(), 0]);
    const [output] = await it.store.read((tx) => tx.outputs.after(callId, 0, 2));
    const result = fromBinary(GenericResultSchema, output?.result ?? new Uint8Array());
    assert.deepEqual([result.status, result.exception], [Status.TERMINATED, "The call was cancelled."]);
    await it.does((tx, context) => endContainer(tx, it.containerId, { reason: "stopped" }, context));
  });

  it("is not given up when it stops in time, and its container goes on", async () => {
    await using it = await running();
    const { inputId } = await it.claimed();
    await it.stop(inputId, "terminated");
    await it.clock.advance(times.stopGrace - 1);
    await it.raise(inputId);
    await it.clock.advance(60_000);
    assert.deepEqual([(await it.input(inputId))?.state, (await it.container())?.state], ["done", "ready"]);
  });

  it("for running too long is tried again after its delay, in another container", async () => {
    await using it = await running();
    const { inputId } = await it.claimed();
    await it.stop(inputId, "timeout");
    await it.clock.advance(times.stopGrace);
    const input = await it.input(inputId);
    assert.deepEqual([input?.state, input?.failures, input?.dueAt], ["delayed", 1, it.clock.now() + 5_000]);
    assert.equal((await it.container())?.state, "draining");
    await it.clock.advance(5_000);
    assert.equal((await it.input(inputId))?.state, "queued");
  });

  it("leaves its neighbours in the same container to run elsewhere, without blame", async () => {
    await using it = await running();
    const [stubborn, neighbour] = [await it.claimed(), await it.claimed()];
    await it.stop(stubborn.inputId, "terminated");
    await it.clock.advance(times.stopGrace);
    assert.equal((await it.input(neighbour.inputId))?.state, "claimed");
    await it.does((tx, context) => endContainer(tx, it.containerId, { reason: "stopped" }, context));
    const input = await it.input(neighbour.inputId);
    assert.deepEqual([input?.state, input?.crashes, input?.failures], ["queued", 0, 0]);
  });

  it("was asked before a restart and is given up after it, at the same moment", async () => {
    await using it = await running();
    const { inputId } = await it.claimed();
    await it.stop(inputId, "terminated");
    await it.alarms.close();
    await it.clock.advance(times.stopGrace - 1);
    const next = it.start();
    await it.clock.settle();
    assert.equal((await it.input(inputId))?.state, "claimed");
    await it.clock.advance(1);
    assert.equal((await it.input(inputId))?.state, "done");
    await next.close();
  });
});

describe("whoever looks after these moments", () => {
  it("rests while there are none", async () => {
    await using it = await running();
    const before = it.looks();
    await it.clock.advance(3_600_000);
    assert.ok(it.looks() - before <= 2 * 60, `${it.looks() - before} looks in an idle hour`);
  });

  it("looks once for a moment that is far away", async () => {
    await using it = await running();
    const { inputId } = await it.claimed();
    await it.raise(inputId);
    const before = it.looks();
    await it.clock.advance(4_999);
    assert.ok(it.looks() - before <= 2, `${it.looks() - before} looks`);
  });

  it("goes on after a look that failed, without haste", async () => {
    let broken = false;
    let failures = 0;
    const failing = (store: Store): Store => ({
      ...store,
      read: (unit) => (broken ? (failures++, Promise.reject(new Error("the disk is gone"))) : store.read(unit)),
    });
    await using it = await running(failing);
    const { inputId } = await it.claimed();
    broken = true;
    await it.raise(inputId);
    await it.clock.advance(10_000);
    assert.ok(failures >= 5 && failures <= 15, `${failures} tries in ten seconds`);
    broken = false;
    await it.clock.advance(1_000);
    assert.equal((await it.input(inputId))?.state, "queued");
  });
});
