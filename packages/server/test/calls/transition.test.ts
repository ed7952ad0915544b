/** A step of an input carried out: the row, the counts beside it, its output, and who is woken; all or nothing. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { fromBinary } from "@bufbuild/protobuf";
import { GenericResultSchema } from "@lydian/contract";

import { transition } from "../../src/calls/transition.ts";
import { alarmsBell, callBell, containerBell, demandBell, inputsBell } from "../../src/domain/bells.ts";
import { defaultCrashPolicy, type Input, type InputEvent } from "../../src/domain/input.ts";
import { noRetries } from "../../src/domain/retry.ts";
import { type TestStore, countRings, testStore } from "../support/open-store.ts";
import { plantCall, plantContainer, plantFunction, success } from "../support/rows.ts";

const retry = { ...noRetries, retries: 1 };

/** A call, and a container for it; `moves` carries events out, one unit each. */
async function scene() {
  const test = await testStore();
  const made = await test.does(async (tx, context) => {
    const of = await plantFunction(tx, context);
    const { id: containerId } = await plantContainer(tx, of, context);
    return { of, containerId, ...(await plantCall(tx, of, context)) };
  });
  const { containerId, inputId } = made;
  const report = (outcome: "success" | "failure"): InputEvent => ({
    kind: "report",
    containerId,
    attempt: 1,
    outcome,
    retry,
  });
  const lose: InputEvent = {
    kind: "lose",
    functionName: "f",
    crashed: false,
    reason: "was lost",
    crash: defaultCrashPolicy,
    retry,
    repeatable: true,
  };
  const stop: InputEvent = { kind: "stop", failure: { status: "terminated", message: "Enough." } };
  const moves = (...events: readonly InputEvent[]): Promise<Input | undefined> =>
    test.does(async (tx, context) => {
      let last: Input | undefined;
      for (const event of events) {
        const input = await tx.inputs.get(inputId);
        if (input === undefined) throw new Error("no input");
        last = await transition(tx, input, event, context, { result: success("x"), startedAt: undefined });
      }
      return last;
    });
  const claim: InputEvent = { kind: "claim", containerId };
  return { ...test, ...made, events: { claim, report, lose, stop }, moves };
}

const counts = (test: TestStore, { of, containerId }: { of: { id: string }; containerId: string }) =>
  test.store.read(async (tx) => {
    const { queued, claimed, delayed } = (await tx.functions.demand(of.id)) ?? {};
    const { held, finished } = (await tx.containers.get(containerId)) ?? {};
    return { queued, claimed, delayed, held, finished };
  });

describe("a transition", () => {
  it("moves the counts with the row", async () => {
    await using it = await scene();
    const { claim, report, lose } = it.events;
    assert.deepEqual(await counts(it, it), { queued: 1, claimed: 0, delayed: 0, held: 0, finished: 0 });
    await it.moves(claim);
    assert.deepEqual(await counts(it, it), { queued: 0, claimed: 1, delayed: 0, held: 1, finished: 0 });
    await it.moves(lose);
    assert.deepEqual(await counts(it, it), { queued: 1, claimed: 0, delayed: 0, held: 0, finished: 0 });
    await it.moves(claim, { ...report("failure"), attempt: 2 } as InputEvent);
    assert.deepEqual(await counts(it, it), { queued: 0, claimed: 0, delayed: 1, held: 0, finished: 0 });
    await it.clock.advance(1_000);
    await it.moves({ kind: "wake" }, claim, { ...report("success"), attempt: 3 } as InputEvent);
    assert.deepEqual(await counts(it, it), { queued: 0, claimed: 0, delayed: 0, held: 0, finished: 1 });
  });

  it("that is none writes nothing and rings nobody", async () => {
    await using it = await scene();
    const before = await it.store.read((tx) => tx.inputs.get(it.inputId));
    const rings = [demandBell, inputsBell(it.of.id), callBell(it.callId)].map((key) => countRings(it.bells, key));
    await it.clock.settle();
    for (const event of [it.events.report("success"), it.events.lose, { kind: "wake" } as const]) {
      assert.equal(await it.moves(event), undefined);
    }
    await it.clock.settle();
    assert.deepEqual(await it.store.read((tx) => tx.inputs.get(it.inputId)), before);
    for (const each of rings) {
      assert.equal(each.count, 0);
      await each.stop();
    }
  });

  it("that fails leaves no trace", async () => {
    await using it = await scene();
    const failing = it.does(async (tx, context) => {
      const input = await tx.inputs.get(it.inputId);
      if (input !== undefined) await transition(tx, input, it.events.claim, context);
      throw new Error("the unit fails");
    });
    await assert.rejects(failing, /the unit fails/);
    assert.deepEqual(await counts(it, it), { queued: 1, claimed: 0, delayed: 0, held: 0, finished: 0 });
  });

  it("to an end needs words for it", async () => {
    await using it = await scene();
    await it.moves(it.events.claim);
    const wordless = it.does(async (tx, context) => {
      const input = await tx.inputs.get(it.inputId);
      if (input !== undefined) await transition(tx, input, it.events.report("success"), context);
    });
    await assert.rejects(wordless, /ends as reported, but nothing was/);
  });
});

describe("a transition wakes", () => {
  const cases: Record<string, { before?: string[]; event: string; rung: string[] }> = {
    "a container and the scheduler for what waits again": {
      before: ["claim"],
      event: "lose",
      rung: ["demand", "inputs"],
    },
    "nobody for a claim": { event: "claim", rung: [] },
    "whoever sees to delays": { before: ["claim"], event: "failure", rung: ["alarms"] },
    "whoever waits for the call": { before: ["claim"], event: "success", rung: ["call"] },
    "the container that is to stop, and whoever sees that it does": {
      before: ["claim"],
      event: "stop",
      rung: ["alarms", "container"],
    },
    "whoever waits for the call, for what no container has": { event: "stop", rung: ["call"] },
    "a container and the scheduler for what was delayed": {
      before: ["claim", "failure"],
      event: "wake",
      rung: ["demand", "inputs"],
    },
  };
  for (const [who, { before = [], event, rung }] of Object.entries(cases)) {
    it(who, async () => {
      await using it = await scene();
      const { claim, report, lose, stop } = it.events;
      const named: Record<string, InputEvent> = {
        claim,
        lose,
        stop,
        success: report("success"),
        failure: report("failure"),
        wake: { kind: "wake" },
      };
      const event_ = (name: string): InputEvent => named[name] ?? assert.fail(name);
      await it.moves(...before.map(event_));
      await it.clock.advance(1_000);
      const bells = {
        alarms: alarmsBell,
        call: callBell(it.callId),
        container: containerBell(it.containerId),
        demand: demandBell,
        inputs: inputsBell(it.of.id),
      };
      const rings = Object.entries(bells).map(([name, key]) => ({ name, ring: countRings(it.bells, key) }));
      await it.clock.settle();
      await it.moves(event_(event));
      await it.clock.settle();
      assert.deepEqual(
        rings.filter(({ ring }) => ring.count > 0).map(({ name }) => name),
        rung,
      );
      for (const { ring } of rings) await ring.stop();
    });
  }
});

describe("the output of an input that ends", () => {
  it("says who had it last and since when, and what was said", async () => {
    await using it = await scene();
    await it.moves(it.events.claim);
    await it.clock.advance(700);
    await it.moves(it.events.report("success"));
    const [output] = await it.store.read((tx) => tx.outputs.after(it.callId, 0, 2));
    assert.deepEqual(
      [output?.containerId, output?.startedAt, output?.createdAt],
      [it.containerId, it.clock.now() - 700, it.clock.now()],
    );
    assert.deepEqual(output?.result, success("x").bytes);
  });

  it("that nobody had says neither", async () => {
    await using it = await scene();
    await it.moves(it.events.stop);
    const [output] = await it.store.read((tx) => tx.outputs.after(it.callId, 0, 2));
    assert.deepEqual([output?.containerId, output?.startedAt], [undefined, undefined]);
    assert.equal(fromBinary(GenericResultSchema, output?.result ?? new Uint8Array()).exception, "Enough.");
  });
});
