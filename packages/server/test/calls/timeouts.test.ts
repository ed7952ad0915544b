/** Inputs that run longer than they may: their containers are asked to stop them, and nobody else is disturbed. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { silentLogger } from "@lydian/kit";

import { claimInputs } from "../../src/calls/claim.ts";
import { completeInputs } from "../../src/calls/complete.ts";
import { Timeouts } from "../../src/calls/timeouts.ts";
import { transition } from "../../src/calls/transition.ts";
import { endContainer } from "../../src/containers/end.ts";
import { alarmsBell, containerBell } from "../../src/domain/bells.ts";
import type { Ending } from "../../src/domain/input.ts";
import { countRings, testStore } from "../support/open-store.ts";
import {
  claimRequest,
  completion,
  failed,
  plantCall,
  plantContainer,
  plantFunction,
  plantMap,
} from "../support/rows.ts";

const timeoutMs = 10_000;

/** A function with a timeout and one retry, a call of it, and what claims it into a new container. */
async function scene() {
  const test = await testStore();
  const timeouts = new Timeouts({ ...test, log: silentLogger });
  const retry = { retries: 1, initialMs: 0, factor: 1, maxMs: 0 };
  const of = await test.does((tx, context) => plantFunction(tx, context, { policy: { timeoutMs, retry } }));
  const call = await test.does((tx, context) => plantCall(tx, of, context));
  const claim = async (): Promise<string> =>
    await test.does(async (tx, context) => {
      const { id } = await plantContainer(tx, of, context);
      const claimed = await claimInputs(tx, claimRequest(id), context);
      for (const input of claimed.kind === "inputs" ? claimed.inputs : []) timeouts.watch(input);
      return id;
    });
  const ending = (): Promise<Ending | undefined> =>
    test.store.read(async (tx) => (await tx.inputs.get(call.inputId))?.ending);
  const dispose = async (): Promise<void> => {
    timeouts.close();
    assert.equal(test.clock.pending, 0, "nothing is left behind");
    await test[Symbol.asyncDispose]();
  };
  return { ...test, timeouts, ...call, claim, ending, [Symbol.asyncDispose]: dispose };
}

describe("an input's time", () => {
  it("when it is over has its container told to stop it, and why", async () => {
    await using it = await scene();
    const holder = await it.claim();
    const rings = [countRings(it.bells, containerBell(holder)), countRings(it.bells, alarmsBell)];
    await it.clock.advance(timeoutMs - 1);
    assert.equal(await it.ending(), undefined);
    await it.clock.advance(1);
    assert.deepEqual(await it.ending(), {
      status: "timeout",
      message: 'The function "hello" ran longer than its timeout of 10 s. Its option `timeout` says how long it may.',
      since: it.clock.now(),
    });
    const [input, container] = await it.store.read(async (tx) => [
      await tx.inputs.get(it.inputId),
      await tx.containers.get(holder),
    ]);
    assert.deepEqual(
      [input?.state, container?.state, container?.held],
      ["claimed", "ready", 1],
      "nothing else changes",
    );
    assert.deepEqual(
      rings.map(({ count }) => count),
      [1, 1],
    );
    for (const each of rings) await each.stop();
  });

  it("is over with its output", async () => {
    await using it = await scene();
    const holder = await it.claim();
    const released = await it.does((tx, context) => completeInputs(tx, holder, [completion(it.inputId)], context));
    assert.deepEqual(released, [it.inputId]);
    for (const id of released) it.timeouts.finished(id);
    assert.equal(it.clock.pending, 1, "one timer for all");
    await it.clock.advance(2 * timeoutMs);
    assert.equal(await it.ending(), undefined);
  });

  it("does not run while it waits", async () => {
    await using it = await scene();
    const first = await it.claim();
    await it.does((tx, context) => endContainer(tx, first, { reason: "lost" }, context));
    await it.clock.advance(5 * timeoutMs);
    assert.equal(await it.ending(), undefined);
  });
});

describe("an input's time is that of one attempt: it", () => {
  it("begins anew with each attempt, also of the same container", async () => {
    await using it = await scene();
    const first = await it.claim();
    await it.clock.advance(timeoutMs - 1);
    await it.does(async (tx, context) => {
      await completeInputs(tx, first, [failed(it.inputId)], context);
      const input = await tx.inputs.get(it.inputId);
      assert.notEqual(input && (await transition(tx, input, { kind: "wake" }, context)), undefined);
      const claimed = await claimInputs(tx, claimRequest(first), context);
      for (const each of claimed.kind === "inputs" ? claimed.inputs : []) it.timeouts.watch(each);
    });
    await it.clock.advance(timeoutMs - 1);
    assert.equal(await it.ending(), undefined);
    await it.clock.advance(1);
    assert.equal((await it.ending())?.status, "timeout");
  });

  it("begins anew when another container claims it", async () => {
    await using it = await scene();
    const first = await it.claim();
    await it.clock.advance(timeoutMs - 1);
    await it.does((tx, context) => endContainer(tx, first, { reason: "lost" }, context));
    await it.claim();
    await it.clock.advance(timeoutMs - 1);
    assert.equal(await it.ending(), undefined);
    await it.clock.advance(1);
    assert.equal((await it.ending())?.status, "timeout");
  });

  it("is not ended by an output of a container that holds it no more", async () => {
    await using it = await scene();
    const first = await it.claim();
    await it.does((tx, context) => endContainer(tx, first, { reason: "lost" }, context));
    await it.claim();
    const late = [completion(it.inputId), completion(it.inputId, { attempt: 2 })];
    const released = await it.does((tx, context) => completeInputs(tx, first, late, context));
    assert.deepEqual(released, []);
    await it.clock.advance(timeoutMs);
    assert.equal((await it.ending())?.status, "timeout");
  });
});

describe("an input's time over a restart", () => {
  it("goes on", async () => {
    await using it = await scene();
    await it.claim();
    await it.clock.advance(timeoutMs - 1);
    it.timeouts.close();
    const second = new Timeouts({ ...it, log: silentLogger });
    await second.start();
    assert.equal(await it.ending(), undefined);
    await it.clock.advance(1);
    assert.equal((await it.ending())?.status, "timeout");
    second.close();
  });

  it("that was over while the server was down is over at once", async () => {
    await using it = await scene();
    await it.claim();
    it.timeouts.close();
    await it.clock.advance(3 * timeoutMs);
    const second = new Timeouts({ ...it, log: silentLogger });
    await second.start();
    await it.clock.settle();
    assert.equal((await it.ending())?.status, "timeout");
    second.close();
  });
});

describe("of inputs that a container begins one after the other", () => {
  it("the next one has its whole time from the end of the one before", async () => {
    await using test = await testStore();
    const timeouts = new Timeouts({ ...test, log: silentLogger });
    const { inputIds, containerId } = await test.does(async (tx, context) => {
      const of = await plantFunction(tx, context, { policy: { timeoutMs, maxConcurrency: 1 } });
      const { inputIds } = await plantMap(tx, of, context, 40);
      return { inputIds, containerId: (await plantContainer(tx, of, context)).id };
    });
    const claimed = await test.does((tx, context) =>
      claimInputs(tx, claimRequest(containerId, { atMost: 3 }), context),
    );
    timeouts.watchInTurn(claimed.kind === "inputs" ? claimed.inputs : []);
    const ending = async (): Promise<(string | undefined)[]> =>
      await test.store.read((tx) =>
        Promise.all(inputIds.slice(0, 3).map(async (id) => (await tx.inputs.get(id))?.ending?.status)),
      );
    await test.clock.advance(timeoutMs - 1);
    timeouts.finished(inputIds[0] ?? "");
    await test.clock.advance(timeoutMs - 1);
    assert.deepEqual(await ending(), [undefined, undefined, undefined]);
    await test.clock.advance(1);
    assert.deepEqual(await ending(), [undefined, "timeout", undefined]);
    await test.clock.advance(2 * timeoutMs);
    assert.deepEqual(await ending(), [undefined, "timeout", undefined], "what has not begun is not late");
    timeouts.finished(inputIds[1] ?? "");
    await test.clock.advance(timeoutMs);
    assert.deepEqual(await ending(), [undefined, "timeout", "timeout"]);
    timeouts.close();
    assert.equal(test.clock.pending, 0);
  });
});
