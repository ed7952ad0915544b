/** Inputs that run longer than they may: they end with the reason, and so does the container that they keep busy. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { fromBinary } from "@bufbuild/protobuf";
import { GenericResultSchema, GenericResult_GenericStatus as Status } from "@lydian/contract";
import { silentLogger } from "@lydian/kit";

import { claimInputs } from "../../src/calls/claim.ts";
import { completeInputs } from "../../src/calls/complete.ts";
import { Timeouts } from "../../src/calls/timeouts.ts";
import { endContainer } from "../../src/containers/end.ts";
import { type TestStore, testStore } from "../support/open-store.ts";
import { plantCall, plantContainer, plantFunction, success } from "../support/rows.ts";

const timeoutMs = 10_000;

/** A function with a timeout, a call of it, and what claims it into a new container. */
async function scene() {
  const test = await testStore();
  const timeouts = new Timeouts({ ...test, log: silentLogger });
  const of = await test.does((tx, context) => plantFunction(tx, context, { policy: { timeoutMs } }));
  const call = await test.does((tx, context) => plantCall(tx, of, context));
  const claim = async (): Promise<string> =>
    await test.does(async (tx, context) => {
      const { id } = await plantContainer(tx, of, context);
      const claimed = await claimInputs(tx, { containerId: id, atMost: 1, received: new Set() }, context);
      for (const input of claimed.kind === "inputs" ? claimed.inputs : []) timeouts.watch(input);
      return id;
    });
  const result = async () => {
    const [output] = await test.store.read((tx) => tx.outputs.after(call.callId, 0, 1));
    return output && fromBinary(GenericResultSchema, output.result);
  };
  const dispose = async (): Promise<void> => {
    timeouts.close();
    assert.equal(test.clock.pending, 0, "nothing is left behind");
    await test[Symbol.asyncDispose]();
  };
  return { ...test, timeouts, ...call, claim, result, [Symbol.asyncDispose]: dispose };
}

const containerOf = (test: TestStore, id: string) => test.store.read((tx) => tx.containers.get(id));

describe("an input's time", () => {
  it("ends it with a failure that says so, and its container at once", async () => {
    await using it = await scene();
    const holder = await it.claim();
    await it.clock.advance(timeoutMs - 1);
    assert.equal(await it.result(), undefined);
    await it.clock.advance(1);
    const result = await it.result();
    assert.equal(result?.status, Status.TIMEOUT);
    assert.equal(result?.exception, "The input ran longer than the function's timeout of 10 s.");
    const container = await containerOf(it, holder);
    assert.deepEqual([container?.state, container?.killAt, container?.held], ["draining", it.clock.now(), 0]);
  });

  it("is over with its output", async () => {
    await using it = await scene();
    const holder = await it.claim();
    const finished = await it.does((tx, context) => {
      const completions = [{ inputId: it.inputId, result: success("x"), startedAt: undefined }];
      return completeInputs(tx, holder, completions, context);
    });
    assert.deepEqual(finished, [it.inputId]);
    for (const id of finished) it.timeouts.finished(id);
    await it.clock.advance(2 * timeoutMs);
    assert.equal((await it.result())?.status, Status.SUCCESS);
    assert.equal((await containerOf(it, holder))?.state, "ready");
  });

  it("begins anew when another container claims it", async () => {
    await using it = await scene();
    const first = await it.claim();
    await it.clock.advance(timeoutMs - 1);
    await it.does((tx, context) => endContainer(tx, first, { reason: "lost" }, context));
    const second = await it.claim();
    await it.clock.advance(timeoutMs - 1);
    assert.equal(await it.result(), undefined);
    await it.clock.advance(1);
    assert.equal((await it.result())?.status, Status.TIMEOUT);
    assert.equal((await containerOf(it, second))?.state, "draining");
  });

  it("is not ended by an output of a container that holds it no more", async () => {
    await using it = await scene();
    const first = await it.claim();
    await it.does((tx, context) => endContainer(tx, first, { reason: "lost" }, context));
    await it.claim();
    const finished = await it.does((tx, context) => {
      const completions = [{ inputId: it.inputId, result: success("late"), startedAt: undefined }];
      return completeInputs(tx, first, completions, context);
    });
    assert.deepEqual(finished, []);
    await it.clock.advance(timeoutMs);
    assert.equal((await it.result())?.status, Status.TIMEOUT);
  });

  it("does not run while it waits", async () => {
    await using it = await scene();
    const first = await it.claim();
    await it.does((tx, context) => endContainer(tx, first, { reason: "lost" }, context));
    await it.clock.advance(5 * timeoutMs);
    assert.equal(await it.result(), undefined);
  });

  it("goes on over a restart", async () => {
    await using it = await scene();
    await it.claim();
    await it.clock.advance(timeoutMs - 1);
    it.timeouts.close();
    const second = new Timeouts({ ...it, log: silentLogger });
    await second.start();
    assert.equal(await it.result(), undefined);
    await it.clock.advance(1);
    assert.equal((await it.result())?.status, Status.TIMEOUT);
    second.close();
  });
});
