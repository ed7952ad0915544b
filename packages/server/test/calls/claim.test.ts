/** Inputs go to containers: each to one, in order, and again to the same one when the reply was lost. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { type Claim, claimInputs } from "../../src/calls/claim.ts";
import { drain } from "../../src/containers/begin.ts";
import { inputsBell } from "../../src/domain/bells.ts";
import type { ContainerState } from "../../src/domain/container.ts";
import { type TestStore, countRings, testStore } from "../support/open-store.ts";
import { claimRequest, plantCall, plantContainer, plantFunction } from "../support/rows.ts";

const nothing: ReadonlySet<string> = new Set();

/** One function, `calls` calls of it, and containers. */
async function scene(test: TestStore, calls: number, states: readonly ContainerState[] = ["ready"]) {
  return await test.does(async (tx, context) => {
    const of = await plantFunction(tx, context);
    const inputIds: string[] = [];
    for (let i = 0; i < calls; i++) inputIds.push((await plantCall(tx, of, context)).inputId);
    const containerIds: string[] = [];
    for (const state of states) {
      const ends = state === "draining" && { killAt: context.now };
      containerIds.push((await plantContainer(tx, of, context, { state, ...ends })).id);
    }
    return { of, inputIds, containerIds };
  });
}

const claim = (test: TestStore, containerId = "", atMost = 1, received = nothing): Promise<Claim> =>
  test.does((tx, context) => claimInputs(tx, claimRequest(containerId, { atMost, received }), context));

const ids = (claim: Claim): string[] => (claim.kind === "inputs" ? claim.inputs.map(({ id }) => id) : [claim.kind]);

test("the oldest input goes to the container that asks, and counts as claimed", async () => {
  await using test = await testStore();
  const { of, inputIds, containerIds } = await scene(test, 2);
  await test.clock.advance(5);
  const claimed = await claim(test, containerIds[0]);
  assert.deepEqual(ids(claimed), [inputIds[0]]);
  assert.equal(claimed.kind === "inputs" && claimed.inputs[0]?.invocation, "sync");
  const [input, demand, holder] = await test.store.read(async (tx) => [
    await tx.inputs.get(inputIds[0] ?? ""),
    await tx.functions.demand(of.id),
    await tx.containers.get(containerIds[0] ?? ""),
  ]);
  assert.deepEqual(
    [input?.state, input?.attempt, input?.containerId, input?.claimedAt],
    ["claimed", 1, containerIds[0], test.clock.now()],
  );
  assert.deepEqual([demand?.queued, demand?.claimed, holder?.held], [1, 1, 1]);
});

test("no input goes to two containers", async () => {
  await using test = await testStore();
  const { inputIds, containerIds } = await scene(test, 3, ["ready", "ready"]);
  const claims = await Promise.all(containerIds.map((id) => claim(test, id, 2)));
  assert.deepEqual(claims.flatMap(ids), inputIds);
  assert.deepEqual(ids(await claim(test, containerIds[1], 1, new Set(inputIds))), ["nothing"]);
});

test("what the container did not receive is handed out again, as the same attempt", async () => {
  await using test = await testStore();
  const { inputIds, containerIds } = await scene(test, 2);
  await claim(test, containerIds[0]);
  const again = await claim(test, containerIds[0]);
  assert.deepEqual(ids(again), [inputIds[0]]);
  assert.equal(again.kind === "inputs" && again.inputs[0]?.attempt, 1);
  assert.deepEqual(ids(await claim(test, containerIds[0], 1, new Set(inputIds.slice(0, 1)))), [inputIds[1]]);
});

test("a container that ends, or that is not known, is told to end", async () => {
  await using test = await testStore();
  const { containerIds } = await scene(test, 1, ["draining", "assigned", "starting"]);
  assert.deepEqual(ids(await claim(test, containerIds[0])), ["end"]);
  assert.deepEqual(ids(await claim(test, "ta-none")), ["end"]);
  assert.notDeepEqual(ids(await claim(test, containerIds[1])), ["end"]);
  assert.deepEqual(ids(await claim(test, containerIds[2])), ["nothing"]);
});

test("a container that was woken for an input and is told to end instead passes the call on", async () => {
  await using test = await testStore();
  const { of, containerIds } = await scene(test, 1);
  const other = countRings(test.bells, inputsBell(of.id));
  await test.clock.settle();
  await test.does((tx) => drain(tx, containerIds[0] ?? "", 0));
  assert.deepEqual(ids(await claim(test, containerIds[0])), ["end"]);
  await test.clock.settle();
  assert.equal(other.count, 1);
  await other.stop();
});

test("inputs of another function are not for it", async () => {
  await using test = await testStore();
  const mine = await scene(test, 0);
  await scene(test, 1);
  assert.deepEqual(ids(await claim(test, mine.containerIds[0])), ["nothing"]);
});
