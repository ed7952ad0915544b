/** What is too much for one unit of work: a portion at once, the rest by and by, to its end, whatever happens meanwhile. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { fromBinary } from "@bufbuild/protobuf";
import { GenericResultSchema, GenericResult_GenericStatus as Status } from "@lydian/contract";
import { silentLogger } from "@lydian/kit";

import { stopApp } from "../../src/apps/stop.ts";
import { cancelCall } from "../../src/calls/cancel.ts";
import { claimInputs } from "../../src/calls/claim.ts";
import { Reaper } from "../../src/calls/reap.ts";
import { failUnfinished, forgetCall } from "../../src/calls/sweep.ts";
import { timesSchema } from "../../src/config.ts";
import { endContainer } from "../../src/containers/end.ts";
import type { FunctionRecord } from "../../src/domain/function.ts";
import { goOn } from "../../src/sweeps/go-on.ts";
import { portion } from "../../src/sweeps/portion.ts";
import { Sweeper } from "../../src/sweeps/sweeper.ts";
import { type TestStore, testStore } from "../support/open-store.ts";
import { claimRequest, plantContainer, plantFunction, plantMap, success } from "../support/rows.ts";

const times = timesSchema.parse({});

/** A function with a map of this many inputs, of which a container has as many as it says. */
async function scene(count: number, claimed = 0) {
  const test = await testStore();
  const made = await test.does(async (tx, context) => {
    const of = await plantFunction(tx, context);
    const { id: containerId } = await plantContainer(tx, of, context);
    const { callId, inputIds } = await plantMap(tx, of, context, count);
    if (claimed > 0) await claimInputs(tx, claimRequest(containerId, { atMost: claimed }), context);
    return { of, containerId, callId, inputIds };
  });
  return { ...test, ...made };
}

const demandOf = (test: TestStore, { id }: FunctionRecord) => test.store.read((tx) => tx.functions.demand(id));

/** One more portion; answers whether there was anything to do. */
const next = (test: TestStore): Promise<boolean> =>
  test.does(async (tx, context) => {
    const isThere = (await tx.sweeps.first()) !== undefined;
    await goOn(tx, context);
    return isThere;
  });

const startSweeper = (test: TestStore): Sweeper => {
  const sweeper = new Sweeper({ ...test, log: silentLogger });
  sweeper.start();
  return sweeper;
};

const failure = { status: "terminated", message: "Enough." } as const;

describe("what is little", () => {
  it("is done at once, and nothing is left to be done", async () => {
    await using it = await scene(portion - 1);
    await it.does((tx, context) => cancelCall(tx, { callId: it.callId, endContainers: false }, context));
    assert.equal((await it.store.read((tx) => tx.calls.get(it.callId)))?.state, "finished");
    assert.equal(await next(it), false);
  });
});

describe("what is much", () => {
  it("is done a portion at a time: the first at once, the rest when it is gone on with", async () => {
    await using it = await scene(2 * portion + 10);
    await it.does((tx, context) => failUnfinished(tx, { functionId: it.of.id }, failure, context));
    assert.equal((await demandOf(it, it.of))?.queued, portion + 10);
    assert.equal(await next(it), true);
    assert.equal((await demandOf(it, it.of))?.queued, 10);
    assert.equal(await next(it), true);
    assert.equal((await demandOf(it, it.of))?.queued, 0);
    assert.equal(await next(it), false);
    const outputs = await it.store.read((tx) => tx.outputs.after(it.callId, 0, 5_000));
    const words = new Set(outputs.map(({ result }) => fromBinary(GenericResultSchema, result).exception));
    assert.deepEqual([outputs.length, [...words]], [2 * portion + 10, ["Enough."]]);
  });

  it("of several is done in the order in which it was begun", async () => {
    await using it = await scene(portion + 1);
    const other = await it.does(async (tx, context) => {
      const of = await plantFunction(tx, context);
      await plantMap(tx, of, context, portion + 1);
      await failUnfinished(tx, { functionId: of.id }, failure, context);
      return of;
    });
    await it.does((tx, context) => failUnfinished(tx, { functionId: it.of.id }, failure, context));
    await next(it);
    assert.deepEqual([(await demandOf(it, other))?.queued, (await demandOf(it, it.of))?.queued], [0, 1]);
    await next(it);
    assert.equal((await demandOf(it, it.of))?.queued, 0);
  });

  it("is gone on with by itself, in units between which others have their turn, also after a restart", async () => {
    await using it = await scene(4 * portion);
    await it.does((tx, context) => cancelCall(tx, { callId: it.callId, endContainers: false }, context));
    let sweeper = startSweeper(it);
    await it.store.write(async () => {}); // somebody else's
    await sweeper.close();
    const left = (await demandOf(it, it.of))?.queued ?? 0;
    assert.ok(left > 0 && left < 4 * portion, `${left} are left`);
    sweeper = startSweeper(it);
    await it.clock.settle();
    assert.equal((await demandOf(it, it.of))?.queued, 0);
    assert.equal((await it.store.read((tx) => tx.calls.get(it.callId)))?.state, "finished");
    await sweeper.close();
    assert.equal(it.clock.pending, 0);
  });
});

describe("a large call that is cancelled", () => {
  it("has what was claimed meanwhile stopped as well", async () => {
    await using it = await scene(2 * portion + 1, 3);
    await it.does((tx, context) => cancelCall(tx, { callId: it.callId, endContainers: false }, context));
    const received = new Set(it.inputIds.slice(0, 3));
    const claim = await it.does((tx, context) =>
      claimInputs(tx, claimRequest(it.containerId, { atMost: 2, received }), context),
    );
    assert.equal(claim.kind === "inputs" && claim.inputs.length, 2);
    while (await next(it));
    const held = await it.store.read((tx) => tx.inputs.heldBy(it.containerId));
    assert.deepEqual(
      held.map(({ ending }) => ending?.status),
      Array.from({ length: 5 }, () => "terminated"),
    );
    assert.equal((await demandOf(it, it.of))?.queued, 0);
  });

  it("twice is done once", async () => {
    await using it = await scene(2 * portion + 1);
    for (let i = 0; i < 2; i++) {
      await it.does((tx, context) => cancelCall(tx, { callId: it.callId, endContainers: false }, context));
    }
    while (await next(it));
    assert.equal((await it.store.read((tx) => tx.calls.get(it.callId)))?.state, "finished");
  });
});

describe("what waits for a container of a function that cannot start", () => {
  it("ends with the container's own words, and what runs elsewhere goes on", async () => {
    await using it = await scene(portion + 5, 2);
    await it.does((tx, context) => failUnfinished(tx, { waitingFor: it.of.id }, success("its words"), context));
    while (await next(it));
    const demand = await demandOf(it, it.of);
    assert.deepEqual([demand?.queued, demand?.claimed], [0, 2]);
    const outputs = await it.store.read((tx) => tx.outputs.after(it.callId, 0, 5_000));
    assert.equal(outputs.length, portion + 3);
    const { bytes } = success("its words");
    for (const { result, dataFormat } of outputs) assert.deepEqual([result, dataFormat], [bytes, 1]);
  });
});

describe("an app with much to do that stops", () => {
  const state = (test: TestStore, { appId }: FunctionRecord) =>
    test.store.read(async (tx) => (await tx.apps.get(appId))?.state);

  it("has stopped when nothing is left, and not before, whatever goes last", async () => {
    for (const last of ["container", "inputs"] as const) {
      await using it = await scene(2 * portion, 1);
      await it.does(async (tx, context) => {
        const app = await tx.apps.get(it.of.appId);
        if (app !== undefined) await stopApp(tx, app, { reason: "Enough.", graceMs: 0 }, context);
      });
      const endContainers = () =>
        it.does((tx, context) => endContainer(tx, it.containerId, { reason: "stopped" }, context));
      assert.equal(await state(it, it.of), "stopping");
      if (last === "inputs") await endContainers();
      assert.equal(await state(it, it.of), "stopping");
      const sweeper = startSweeper(it);
      await it.clock.settle();
      await sweeper.close();
      assert.equal(await state(it, it.of), last === "inputs" ? "stopped" : "stopping");
      if (last === "container") await endContainers();
      assert.equal(await state(it, it.of), "stopped");
      const call = await it.store.read((tx) => tx.calls.get(it.callId));
      assert.deepEqual([call?.state, call?.unfinished], ["finished", 0]);
    }
  });
});

describe("a large call that is forgotten", () => {
  it("is not there any more at once, and its rows go by and by", async () => {
    await using it = await scene(2 * portion);
    await it.does((tx, context) => cancelCall(tx, { callId: it.callId, endContainers: false }, context));
    while (await next(it));
    assert.equal(await it.does((tx) => forgetCall(tx, it.callId)), portion);
    const rows = () =>
      it.store.read(async (tx) => [
        (await tx.inputs.ofCall(it.callId, 5_000)).length,
        (await tx.outputs.after(it.callId, 0, 5_000)).length,
      ]);
    assert.equal(await it.store.read((tx) => tx.calls.get(it.callId)), undefined);
    assert.deepEqual(await rows(), [portion, 2 * portion]);
    while (await next(it));
    assert.deepEqual(await rows(), [0, 0]);
  });

  it("is one of many: as many calls go in one unit as make a portion of rows", async () => {
    await using test = await testStore();
    const { of, callIds } = await test.does(async (tx, context) => {
      const of = await plantFunction(tx, context);
      const callIds: string[] = [];
      for (let i = 0; i < 12; i++) callIds.push((await plantMap(tx, of, context, 60)).callId);
      await failUnfinished(tx, { functionId: of.id }, failure, context);
      return { of, callIds };
    });
    while (await next(test));
    let largest = 0;
    const write: TestStore["store"]["write"] = async (unit) => {
      const before = await count(test, callIds);
      const value = await test.store.write(unit);
      largest = Math.max(largest, before - (await count(test, callIds)));
      return value;
    };
    await test.clock.advance(times.resultKept);
    const reaper = new Reaper({
      ...test,
      store: { ...test.store, write },
      times,
      log: silentLogger,
      sweepUploads: async () => {},
    });
    reaper.start();
    await test.clock.advance(60_000);
    await reaper.close();
    assert.equal(await count(test, callIds), 0);
    assert.ok(largest <= portion + 120, `${largest} rows in one unit`);
    assert.equal((await demandOf(test, of))?.queued, 0);
  });
});

/** Inputs and outputs of these calls. */
const count = (test: TestStore, callIds: readonly string[]): Promise<number> =>
  test.store.read(async (tx) => {
    let rows = 0;
    for (const id of callIds) {
      rows += (await tx.inputs.ofCall(id, 1_000)).length + (await tx.outputs.after(id, 0, 1_000)).length;
    }
    return rows;
  });

describe("a cancelled input's words", () => {
  it("are the same whether it was ended at once or later", async () => {
    await using it = await scene(portion + 1);
    await it.does((tx, context) => cancelCall(tx, { callId: it.callId, endContainers: false }, context));
    while (await next(it));
    const outputs = await it.store.read((tx) => tx.outputs.after(it.callId, 0, 5_000));
    const words = new Set(
      outputs.map(({ result }) => {
        const { status, exception } = fromBinary(GenericResultSchema, result);
        return `${status} ${exception}`;
      }),
    );
    assert.deepEqual([...words], [`${Status.TERMINATED} The call was cancelled.`]);
  });
});
