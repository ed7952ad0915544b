/** The scheduler over a real store, with a clock that tests move and hands that only take notes. */
import assert from "node:assert/strict";

import { silentLogger } from "@lydian/kit";

import type { Container, Load } from "../../src/domain/container.ts";
import type { FunctionPolicy, FunctionRecord } from "../../src/domain/function.ts";
import type { Store } from "../../src/domain/store.ts";
import type { WorkerView } from "../../src/domain/worker.ts";
import { Scheduler, type SchedulerDeps } from "../../src/scheduler/loop.ts";
import { assertInvariants } from "./invariants.ts";
import { type TestStore, testStore } from "./open-store.ts";
import { limits, plantCall, plantFunction, worker } from "./rows.ts";

/** A scheduler that runs; `passes` counts how often it looked. */
export async function running(
  changes: Partial<FunctionPolicy> = {},
  wrap: (store: Store) => Store = (store) => store,
  ceilings: SchedulerDeps["limits"] = limits,
) {
  const test = await testStore();
  const of = await test.does((tx, context) => plantFunction(tx, context, { policy: changes }));
  const workers: WorkerView[] = [worker()];
  const told: string[] = [];
  const assigned: Container[] = [];
  const stopped: string[] = [];
  let passes = 0;
  const store: Store = { ...test.store, read: (unit) => (passes++, test.store.read(unit)) };
  const hands = {
    workers: () => workers,
    assign: (container: Container) => void assigned.push(container),
    stop: ({ id }: Container) => void stopped.push(id),
  };
  const loads: Load[] = [];
  const scheduler = new Scheduler({
    loads: () => loads,
    ...test,
    store: wrap(store),
    hands,
    times: { preparation: 100_000 },
    limits: ceilings,
    tell: (_to, text) => void told.push(text),
    log: silentLogger,
  });
  scheduler.start();
  await test.clock.settle();
  return {
    ...test,
    of,
    workers,
    loads,
    assigned,
    stopped,
    told,
    scheduler,
    passes: () => passes,
    async [Symbol.asyncDispose]() {
      await scheduler.close();
      assert.equal(test.clock.pending, 0, "nothing is left behind");
      assertInvariants(test.file);
      await test[Symbol.asyncDispose]();
    },
  };
}

/** A call of the function, which the scheduler has seen. */
export const call = async (test: TestStore, of: FunctionRecord) => {
  const made = await test.does((tx, context) => plantCall(tx, of, context));
  await test.clock.settle();
  return made;
};

export const stateOf = (test: TestStore, id: string | undefined) =>
  test.store.read(async (tx) => (await tx.containers.get(id ?? ""))?.state);
