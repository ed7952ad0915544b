/** Changes of how a function scales, while it runs. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { demandBell } from "../../src/domain/bells.ts";
import { isFail } from "../../src/errors.ts";
import { type ScalingChange, changeScaling } from "../../src/functions/scaling.ts";
import { type TestStore, countRings, testStore } from "../support/open-store.ts";
import { plantCall, plantFunction } from "../support/rows.ts";

const plant = (test: TestStore) =>
  test.does((tx, context) => plantFunction(tx, context, { policy: { maxContainers: 5, scaledownMs: 60_000 } }));

const change = (test: TestStore, id: string, changes: ScalingChange) =>
  test.does((tx) => changeScaling(tx, id, changes));

test("what is said changes, what is not stays, and the scheduler is woken", async () => {
  await using test = await testStore();
  const of = await plant(test);
  const rings = countRings(test.bells, demandBell);
  await test.clock.settle();
  const policy = await change(test, of.id, { minContainers: 2, bufferContainers: 1 });
  assert.deepEqual(policy, { ...of.policy, minContainers: 2, bufferContainers: 1 });
  const later = await change(test, of.id, { scaledownMs: 5_000 });
  assert.deepEqual(later, { ...of.policy, minContainers: 2, bufferContainers: 1, scaledownMs: 5_000 });
  await test.clock.settle();
  assert.equal(rings.count, 2);
  await rings.stop();
});

test("a change counts at once, and neither what waits nor the definition is touched", async () => {
  await using test = await testStore();
  const of = await plant(test);
  await test.does((tx, context) => plantCall(tx, of, context));
  await change(test, of.id, { maxContainers: 1 });
  const [demand, record] = await test.store.read(async (tx) => [
    await tx.functions.demand(of.id),
    await tx.functions.get(of.id),
  ]);
  assert.deepEqual([demand?.policy.maxContainers, demand?.queued], [1, 1]);
  assert.deepEqual([record?.definitionId, record?.definition], [of.definitionId, of.definition]);
});

test("containers that are to be kept from now on are wanted without a call, until they are not", async () => {
  await using test = await testStore();
  const of = await plant(test);
  const wanted = async (): Promise<number> => (await test.store.read((tx) => tx.functions.demands())).length;
  assert.equal(await wanted(), 0);
  await change(test, of.id, { minContainers: 1 });
  assert.equal(await wanted(), 1);
  await change(test, of.id, { minContainers: 0 });
  assert.equal(await wanted(), 0);
});

test("more containers kept than there may be are refused, whichever of the two is changed", async () => {
  await using test = await testStore();
  const of = await plant(test);
  const refused = (error: unknown): boolean =>
    isFail(error, "invalidArgument") && /"hello" cannot keep 6 containers and have at most \d/.test(error.message);
  await assert.rejects(change(test, of.id, { minContainers: 6 }), refused);
  await change(test, of.id, { minContainers: 6, maxContainers: 6 });
  await assert.rejects(change(test, of.id, { maxContainers: 5 }), refused);
  const demand = await test.store.read((tx) => tx.functions.demand(of.id));
  assert.equal(demand?.policy.maxContainers, 6, "what is refused changes nothing");
});

test("what does not exist says so", async () => {
  await using test = await testStore();
  await assert.rejects(change(test, "fu-none", {}), (error) => isFail(error, "notFound"));
});
