/** The loop that acts: over a real store, with a clock that tests move and hands that only take notes. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { fromBinary } from "@bufbuild/protobuf";
import { GenericResultSchema } from "@lydian/contract";

import { stopApp } from "../../src/apps/stop.ts";
import { claimInputs } from "../../src/calls/claim.ts";
import { completeInputs } from "../../src/calls/complete.ts";
import { advance } from "../../src/containers/begin.ts";
import { endContainer } from "../../src/containers/end.ts";
import { demandBell } from "../../src/domain/bells.ts";
import type { Container } from "../../src/domain/container.ts";
import type { Store } from "../../src/domain/store.ts";
import { startCountsMs } from "../../src/scheduler/place.ts";
import { toldAfterMs } from "../../src/scheduler/shortage.ts";
import type { TestStore } from "../support/open-store.ts";
import { claimRequest, completion, needs, plantCall, plantContainer, plantFunction, worker } from "../support/rows.ts";
import { call, running, stateOf } from "../support/running-scheduler.ts";

/** The container becomes ready, takes what waits and finishes it. */
async function serve(test: TestStore, { id }: Container): Promise<void> {
  await test.does(async (tx, context) => {
    await advance(tx, id, "ready", context);
    const claim = await claimInputs(tx, claimRequest(id), context);
    const inputs = claim.kind === "inputs" ? claim.inputs : [];
    const completions = inputs.map((input) => completion(input.id, { attempt: input.attempt }));
    await completeInputs(tx, id, completions, context);
  });
  await test.clock.settle();
}

describe("the scheduler starts containers: it", () => {
  it("starts a container for a call, once, and hands it to its worker", async () => {
    await using test = await running();
    await call(test, test.of);
    assert.equal(test.assigned.length, 1);
    const [container] = test.assigned;
    assert.deepEqual(
      [container?.functionId, container?.workerId, container?.state, container?.milliCpu, container?.memoryMib],
      [test.of.id, "local", "assigned", 100, 128],
    );
    assert.match(container?.fence ?? "", /^[A-Za-z0-9]{16}$/);
    test.bells.ring(demandBell);
    await test.clock.advance(1_000);
    assert.equal(test.assigned.length, 1);
  });

  it("gives every container a fence of its own", async () => {
    await using test = await running();
    test.workers.splice(0, 1, worker({ capacity: { milliCpu: 4_000, memoryMib: 1_024 } }));
    for (let i = 0; i < 3; i++) await call(test, test.of);
    assert.equal(new Set(test.assigned.map(({ fence }) => fence)).size, 3);
  });

  it("starts what fits, and the rest when a worker with room comes", async () => {
    await using test = await running({ needs: needs({ milliCpu: 600 }) });
    for (let i = 0; i < 3; i++) await call(test, test.of);
    assert.equal(test.assigned.length, 1);
    test.workers.push(worker({ id: "second", capacity: { milliCpu: 2_000, memoryMib: 1_024 } }));
    test.bells.ring(demandBell);
    await test.clock.settle();
    assert.deepEqual(
      test.assigned.map(({ workerId }) => workerId),
      ["local", "second", "second"],
    );
  });

  it("starts nothing for an app that is stopping", async () => {
    await using test = await running();
    test.workers.length = 0;
    await call(test, test.of);
    await test.does(async (tx) => {
      const app = await tx.apps.get(test.of.appId);
      if (app !== undefined) await tx.apps.update({ ...app, state: "stopping" });
    });
    test.workers.push(worker());
    test.bells.ring(demandBell);
    await test.clock.settle();
    assert.deepEqual(test.assigned, []);
  });
});

describe("the scheduler's starts are in order: it", () => {
  it("starts two at a time on one processor, and the next when one of them is ready", async () => {
    await using test = await running();
    for (let i = 0; i < 4; i++) await call(test, test.of);
    assert.equal(test.assigned.length, 2);
    await test.does((tx, context) => advance(tx, test.assigned[1]?.id ?? "", "starting", context));
    await test.clock.settle();
    assert.equal(test.assigned.length, 2);
    await test.does((tx, context) => advance(tx, test.assigned[0]?.id ?? "", "ready", context));
    await test.clock.settle();
    assert.equal(test.assigned.length, 3);
    await test.clock.advance(startCountsMs);
    assert.equal(test.assigned.length, 4, "one that takes long waits for something else than the processor");
  });

  it("gives everybody one before anybody has two", async () => {
    await using test = await running();
    test.workers.length = 0;
    for (let i = 0; i < 5; i++) await call(test, test.of);
    const other = await test.does((tx, context) => plantFunction(tx, context));
    await call(test, other);
    test.workers.push(worker());
    test.bells.ring(demandBell);
    await test.clock.settle();
    assert.deepEqual(
      test.assigned.map(({ functionId }) => functionId),
      [test.of.id, other.id],
    );
  });

  it("keeps as many containers as a function always has, without a call, and replaces what ends", async () => {
    await using test = await running({ minContainers: 2 });
    assert.equal(test.assigned.length, 2);
    await test.does((tx, context) => endContainer(tx, test.assigned[0]?.id ?? "", { reason: "lost" }, context));
    await test.clock.settle();
    assert.equal(test.assigned.length, 3);
  });

  it("starts them for the definition that there is now", async () => {
    await using test = await running();
    await test.does((tx) => tx.functions.put({ ...test.of, definitionId: "de-newer" }));
    await call(test, test.of);
    assert.deepEqual(
      test.assigned.map(({ definitionId }) => definitionId),
      ["de-newer"],
    );
  });
});

describe("the scheduler ends containers: it", () => {
  it("ends an idle container exactly when its window is over, and kills it when it does not end", async () => {
    await using test = await running({ scaledownMs: 10_000 });
    await call(test, test.of);
    const [container] = test.assigned;
    if (container === undefined) throw new Error("none was started");
    await test.clock.advance(3_000);
    await serve(test, container);
    await test.clock.advance(9_999);
    assert.equal(await stateOf(test, container.id), "ready");
    await test.clock.advance(1);
    assert.equal(await stateOf(test, container.id), "draining");
    await test.clock.advance(29_999);
    assert.deepEqual(test.stopped, []);
    await test.clock.advance(1);
    assert.deepEqual(test.stopped, [container.id]);
  });

  it("does not end a container that took an input after it was looked at", async () => {
    let meddle: (() => Promise<void>) | undefined;
    const afterRead = (store: Store): Store => ({
      ...store,
      read: async (unit) => {
        const value = await store.read(unit);
        await meddle?.();
        return value;
      },
    });
    await using test = await running({ scaledownMs: 10_000 }, afterRead);
    const busy = await test.does((tx, context) => plantContainer(tx, test.of, context));
    meddle = async () => {
      meddle = undefined;
      await test.does(async (tx, context) => {
        await plantCall(tx, test.of, context);
        await claimInputs(tx, claimRequest(busy.id), context);
      });
    };
    await test.clock.advance(10_000);
    test.bells.ring(demandBell);
    await test.clock.settle();
    assert.equal(await stateOf(test, busy.id), "ready");
  });
});

describe("where there is no room the scheduler", () => {
  /** An idle container of another function beside the one of the call. */
  const idleOther = (test: TestStore, memoryMib: number, minContainers = 0) =>
    test.does(async (tx, context) => {
      const other = await plantFunction(tx, context, { policy: { needs: needs({ memoryMib }), minContainers } });
      return await plantContainer(tx, other, context, { memoryMib });
    });

  it("ends a spare container of another function, and starts what was wanted when that is gone", async () => {
    await using test = await running({ needs: needs({ memoryMib: 700 }) });
    const { id } = await idleOther(test, 700);
    await call(test, test.of);
    assert.equal(await stateOf(test, id), "draining");
    assert.deepEqual(test.assigned, []);
    await test.does((tx, context) => endContainer(tx, id, { reason: "exited", code: 0 }, context));
    await test.clock.settle();
    assert.equal(test.assigned.length, 1);
  });

  it("ends none that its function always keeps", async () => {
    await using test = await running({ needs: needs({ memoryMib: 700 }) });
    const { id } = await idleOther(test, 700, 1);
    await call(test, test.of);
    assert.equal(await stateOf(test, id), "ready");
  });

  it("ends none for what would not fit even then", async () => {
    await using test = await running({ needs: needs({ gpus: [{ kind: "H100", count: 1 }] }) });
    const { id } = await idleOther(test, 700);
    await call(test, test.of);
    assert.equal(await stateOf(test, id), "ready");
  });

  it("says so in the log of the app, once, when that has lasted for a while", async () => {
    await using test = await running({ needs: needs({ gpus: [{ kind: "H100", count: 1 }] }) });
    await call(test, test.of);
    await test.clock.advance(toldAfterMs - 1);
    assert.deepEqual(test.told, []);
    await test.clock.advance(1);
    assert.equal(test.told.length, 1);
    assert.match(test.told[0] ?? "", /1 H100: no worker has that free now/);
    await test.clock.advance(600_000);
    assert.equal(test.told.length, 1);
  });

  it("gives what asks for more than any worker has what the largest one has", async () => {
    await using test = await running({ needs: needs({ milliCpu: 64_000 }) });
    await call(test, test.of);
    assert.deepEqual(
      test.assigned.map(({ milliCpu }) => milliCpu),
      [1_000],
    );
  });

  it("ends none of the very function that wants more: it is about to take what waits", async () => {
    await using test = await running({ needs: needs({ milliCpu: 600 }) });
    const { id } = await test.does((tx, context) => plantContainer(tx, test.of, context, { milliCpu: 600 }));
    for (let i = 0; i < 5; i++) await call(test, test.of);
    assert.equal(await stateOf(test, id), "ready");
  });
});

describe("the scheduler does not wait for ever: it", () => {
  const messageOf = async (test: TestStore, callId: string): Promise<string> => {
    const [output] = await test.store.read((tx) => tx.outputs.after(callId, 0, 1));
    return fromBinary(GenericResultSchema, output?.result ?? new Uint8Array()).exception;
  };

  it("kills a container that is not ready in time, counted from its process's start, and tells who waits", async () => {
    await using test = await running({ startupMs: 20_000 });
    const { callId } = await call(test, test.of);
    const [container] = test.assigned;
    await test.clock.advance(60_000); // its image is made
    await test.does((tx, context) => advance(tx, container?.id ?? "", "starting", context));
    await test.clock.advance(19_999);
    assert.deepEqual(test.stopped, []);
    await test.clock.advance(1);
    assert.deepEqual(test.stopped, [container?.id]);
    assert.equal(await messageOf(test, callId), "The container could not be started: it was not ready after 20 s.");
    await test.does((tx, context) => endContainer(tx, container?.id ?? "", { reason: "stopped" }, context));
    await test.clock.advance(60_000);
    assert.equal(test.assigned.length, 1, "nothing waits any more");
  });

  it("gives up a container whose files are not there in time, whatever its function asks for", async () => {
    await using test = await running({ startupMs: 20_000 });
    const { callId } = await call(test, test.of);
    await test.clock.advance(99_999);
    assert.deepEqual(test.stopped, []);
    await test.clock.advance(1);
    assert.deepEqual(test.stopped, [test.assigned[0]?.id]);
    const reason = "its image and packages were not ready after 100 s";
    assert.equal(await messageOf(test, callId), `The container could not be started: ${reason}.`);
  });

  it("tries a deployed function again after a start that took too long, later each time", async () => {
    await using test = await running({ startupMs: 20_000 });
    await test.does(async (tx) => {
      const app = await tx.apps.get(test.of.appId);
      if (app !== undefined) await tx.apps.update({ ...app, state: "deployed" });
    });
    const startsTooLate = async (index: number): Promise<void> => {
      await test.does((tx, context) => advance(tx, test.assigned[index]?.id ?? "", "starting", context));
      await test.clock.advance(20_000);
    };
    await call(test, test.of);
    await startsTooLate(0);
    await test.does((tx, context) => endContainer(tx, test.assigned[0]?.id ?? "", { reason: "stopped" }, context));
    await test.clock.advance(999);
    assert.equal(test.assigned.length, 1);
    await test.clock.advance(1);
    assert.equal(test.assigned.length, 2);
    await startsTooLate(1);
    const demand = await test.store.read((tx) => tx.functions.demand(test.of.id));
    assert.deepEqual([demand?.queued, (demand?.notBefore ?? 0) - test.clock.now()], [1, 2_000]);
  });

  it("kills what an app that stops leaves in the middle of an input", async () => {
    await using test = await running();
    await call(test, test.of);
    const [container] = test.assigned;
    await test.does(async (tx, context) => {
      const app = await tx.apps.get(test.of.appId);
      if (app !== undefined) await stopApp(tx, app, { reason: "x", graceMs: 30_000 }, context);
    });
    await test.clock.settle();
    assert.deepEqual(test.stopped, [container?.id]);
  });
});

describe("the scheduler's rest", () => {
  it("is undisturbed while nothing changes", async () => {
    await using test = await running();
    const before = test.passes();
    await test.clock.advance(3_600_000);
    assert.ok(test.passes() - before <= 2 * 60, `${test.passes() - before} passes in an idle hour`);
  });

  it("does not end in haste when nothing can be placed", async () => {
    await using test = await running({ needs: needs({ gpus: [{ kind: "H100", count: 1 }] }) });
    await call(test, test.of);
    const before = test.passes();
    await test.clock.advance(600_000);
    assert.ok(test.passes() - before <= 25, `${test.passes() - before} passes in ten minutes`);
  });

  it("is as long while containers are overdue and do not end", async () => {
    await using test = await running({ scaledownMs: 1_000 });
    await test.does((tx, context) => plantContainer(tx, test.of, context, { state: "draining", killAt: context.now }));
    test.bells.ring(demandBell);
    await test.clock.settle();
    const before = test.passes();
    await test.clock.advance(600_000);
    assert.ok(test.passes() - before <= 25, `${test.passes() - before} passes in ten minutes`);
  });

  it("goes on after a pass that failed, without haste", async () => {
    let failures = 0;
    let broken = false;
    const failing = (store: Store): Store => ({
      ...store,
      read: (unit) => (broken ? (failures++, Promise.reject(new Error("the disk is gone"))) : store.read(unit)),
    });
    await using test = await running({}, failing);
    broken = true;
    await call(test, test.of);
    await test.clock.advance(10_000);
    assert.ok(failures >= 5 && failures <= 25, `${failures} tries in ten seconds`);
    broken = false;
    await test.clock.advance(1_000);
    assert.equal(test.assigned.length, 1);
  });

  it("ends with close, also when nothing was ever asked", async () => {
    await using test = await running();
    await test.scheduler.close();
    await test.scheduler.close();
    await call(test, test.of);
    assert.deepEqual(test.assigned, []);
  });
});

describe("the scheduler, when a deployment has replaced what a container runs,", () => {
  const deployed = async (test: Awaited<ReturnType<typeof running>>) => {
    await call(test, test.of);
    const [old] = test.assigned;
    assert.ok(old);
    await serve(test, old);
    await test.does(async (tx) => {
      const record = await tx.functions.get(test.of.id);
      if (record !== undefined) await tx.functions.put({ ...record, definitionId: "de-2" });
      tx.ring(demandBell);
    });
    await test.clock.settle();
    return old;
  };

  it("lets it go on until another one is ready", async () => {
    await using test = await running();
    const old = await deployed(test);
    const fresh = test.assigned[1];
    assert.deepEqual([fresh?.definitionId, await stateOf(test, old.id)], ["de-2", "ready"]);
    await call(test, test.of);
    await serve(test, old);
    assert.deepEqual([test.assigned.length, await stateOf(test, old.id)], [2, "ready"]);
    await test.does((tx, context) => advance(tx, fresh?.id ?? "", "ready", context));
    await test.clock.settle();
    assert.deepEqual([await stateOf(test, old.id), await stateOf(test, fresh?.id)], ["draining", "ready"]);
    assert.deepEqual(test.stopped, []);
  });

  it("keeps it while new ones crash, and those slow down although it goes on finishing inputs", async () => {
    await using test = await running();
    const old = await deployed(test);
    await test.does(async (tx) => {
      const app = await tx.apps.get(test.of.appId);
      if (app !== undefined) await tx.apps.update({ ...app, state: "deployed" });
    });
    const crash = async (): Promise<void> => {
      const id = test.assigned.at(-1)?.id ?? "";
      await test.does((tx, context) => endContainer(tx, id, { reason: "exited", code: 1 }, context));
      await test.clock.settle();
    };
    for (const seconds of [1, 2, 4]) {
      const starts = test.assigned.length;
      await crash();
      await call(test, test.of);
      await serve(test, old);
      await test.clock.advance(seconds * 1_000 - 1);
      assert.equal(test.assigned.length, starts);
      await test.clock.advance(1);
      assert.equal(test.assigned.length, starts + 1);
    }
    assert.equal(await stateOf(test, old.id), "ready");
  });

  it("gives it up for the room of what replaces it", async () => {
    await using test = await running({ needs: needs({ milliCpu: 600 }) });
    const old = await deployed(test);
    assert.deepEqual([test.assigned.length, await stateOf(test, old.id)], [1, "draining"]);
    await call(test, test.of);
    await test.does((tx, context) => endContainer(tx, old.id, { reason: "exited", code: 0 }, context));
    await test.clock.settle();
    assert.equal(test.assigned[1]?.definitionId, "de-2");
  });
});
