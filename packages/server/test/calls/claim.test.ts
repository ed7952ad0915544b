/**
 * Inputs go to containers: each to one, in order, alone or in batches, and again to the same one when the reply was lost.
 */
import assert from "node:assert/strict";
import { describe, it, test } from "node:test";

import { type Claim, claimInputs } from "../../src/calls/claim.ts";
import { completeInputs } from "../../src/calls/complete.ts";
import { giveBackInputs } from "../../src/calls/give-back.ts";
import { drain, exitGraceMs } from "../../src/containers/begin.ts";
import { endContainer } from "../../src/containers/end.ts";
import { inputsBell } from "../../src/domain/bells.ts";
import type { ContainerState } from "../../src/domain/container.ts";
import { type TestStore, countRings, testStore } from "../support/open-store.ts";
import {
  claimRequest,
  completion,
  failed,
  plantCall,
  plantContainer,
  plantFunction,
  plantMap,
} from "../support/rows.ts";

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

test("an input says when its time is up, and is the same attempt for whoever it is sent to again", async () => {
  await using test = await testStore();
  const { containerIds } = await scene(test, 1);
  for (let i = 0; i < 2; i++) {
    const claimed = await claim(test, containerIds[0]);
    const [input] = claimed.kind === "inputs" ? claimed.inputs : [];
    assert.deepEqual([input?.timeoutMs, input?.attempt], [300_000, 1]);
  }
});

/** A map of these methods in turn, and a container that takes four together. */
async function batches(test: TestStore, count: number, methods: readonly string[] = [""]) {
  const { of, inputIds, containerId } = await test.does(async (tx, context) => {
    const of = await plantFunction(tx, context, { policy: { batchSize: 4 } });
    const { inputIds } = count === 0 ? { inputIds: [] } : await plantMap(tx, of, context, count, methods);
    return { of, inputIds, containerId: (await plantContainer(tx, of, context)).id };
  });
  const received = new Set<string>();
  const ask = async (lingerMs = 500): Promise<Claim> => {
    const request = claimRequest(containerId, { atMost: 4, lingerMs, received: new Set(received) });
    const claimed = await test.does((tx, context) => claimInputs(tx, request, context));
    for (const id of ids(claimed)) received.add(id);
    return claimed;
  };
  return { of, inputIds, containerId, ask };
}

describe("a batch", () => {
  it("goes out at once when it is full, and leaves the rest", async () => {
    await using test = await testStore();
    const { inputIds, ask } = await batches(test, 6);
    assert.deepEqual(ids(await ask()), inputIds.slice(0, 4));
    assert.deepEqual(ids(await ask()), ["nothing"]);
    assert.deepEqual(ids(await ask(0)), inputIds.slice(4));
  });

  it("waits for more for as long as its first input may linger, and says until when", async () => {
    await using test = await testStore();
    const { of, inputIds, ask } = await batches(test, 1);
    const first = test.clock.now();
    await test.clock.advance(400);
    const second = await test.does((tx, context) => plantCall(tx, of, context));
    assert.deepEqual(await ask(), { kind: "nothing", fullerUntil: first + 500 });
    await test.clock.advance(99);
    assert.deepEqual(await ask(), { kind: "nothing", fullerUntil: first + 500 });
    await test.clock.advance(1);
    assert.deepEqual(ids(await ask()), [...inputIds, second.inputId]);
  });

  it("counts from when its first input last began to wait: one that comes back waits anew", async () => {
    await using test = await testStore();
    const { of, inputIds, ask, containerId } = await batches(test, 1);
    assert.deepEqual(ids(await ask(0)), inputIds);
    await test.clock.advance(10_000);
    const other = await test.does(async (tx, context) => {
      await endContainer(tx, containerId, { reason: "lost" }, context);
      return await plantContainer(tx, of, context);
    });
    const claimed = await claim(test, other.id, 4);
    assert.deepEqual(ids(claimed), inputIds, "without a linger it goes out at once");
    await test.does((tx, context) => endContainer(tx, other.id, { reason: "lost" }, context));
    const third = await test.does((tx, context) => plantContainer(tx, of, context));
    const request = claimRequest(third.id, { atMost: 4, lingerMs: 500 });
    const again = await test.does((tx, context) => claimInputs(tx, request, context));
    assert.deepEqual(again, { kind: "nothing", fullerUntil: test.clock.now() + 500 });
  });

  it("is of one method: that of the input that has waited longest", async () => {
    await using test = await testStore();
    const { inputIds, ask } = await batches(test, 6, ["add", "multiply"]);
    const [add, multiply] = [0, 1].map((odd) => inputIds.filter((_, index) => index % 2 === odd));
    assert.deepEqual(ids(await ask(0)), add);
    assert.deepEqual(ids(await ask(0)), multiply);
  });

  it("whose reply was lost is handed out again as it was, of one method", async () => {
    await using test = await testStore();
    const { containerId, inputIds, ask } = await batches(test, 4, ["add", "multiply"]);
    await ask(0);
    await ask(0);
    const again = (received: readonly string[]): Promise<Claim> => claim(test, containerId, 4, new Set(received));
    const first = ids(await again([]));
    assert.deepEqual(first, [inputIds[0], inputIds[2]]);
    assert.deepEqual(ids(await again(first)), [inputIds[1], inputIds[3]]);
  });
});

describe("a container for one input", () => {
  const singleUse = (test: TestStore, calls: number) =>
    test.does(async (tx, context) => {
      const of = await plantFunction(tx, context, { policy: { singleUse: true } });
      const inputIds: string[] = [];
      for (let i = 0; i < calls; i++) inputIds.push((await plantCall(tx, of, context)).inputId);
      return { of, inputIds, id: (await plantContainer(tx, of, context)).id };
    });
  const containerOf = (test: TestStore, id: string) => test.store.read((tx) => tx.containers.get(id));

  it("takes one and no other, and has all the time that it needs for it", async () => {
    await using test = await testStore();
    const { id, inputIds } = await singleUse(test, 2);
    assert.deepEqual(ids(await claim(test, id)), inputIds.slice(0, 1));
    const container = await containerOf(test, id);
    assert.deepEqual([container?.state, container?.killAt, container?.held], ["draining", undefined, 1]);
    assert.deepEqual(ids(await claim(test, id)), inputIds.slice(0, 1), "its reply was lost: the same one again");
    assert.deepEqual(ids(await claim(test, id, 1, new Set(inputIds))), ["end"]);
  });

  it("has a time to end in once it is done, however that went", async () => {
    for (const said of [completion, failed]) {
      await using test = await testStore();
      const { id, inputIds } = await singleUse(test, 1);
      await claim(test, id);
      await test.does((tx, context) => completeInputs(tx, id, [said(inputIds[0] ?? "")], context));
      const container = await containerOf(test, id);
      assert.deepEqual([container?.state, container?.killAt], ["draining", test.clock.now() + exitGraceMs]);
    }
  });

  it("that ends by itself after it has not crashed", async () => {
    await using test = await testStore();
    const { of, id, inputIds } = await singleUse(test, 1);
    await claim(test, id);
    await test.does((tx, context) => completeInputs(tx, id, [completion(inputIds[0] ?? "")], context));
    await test.does((tx, context) => endContainer(tx, id, { reason: "exited", code: 0 }, context));
    assert.equal((await test.store.read((tx) => tx.functions.demand(of.id)))?.crashStreak, 0);
  });

  for (const code of [0, 1]) {
    it(`that exits with code ${code} in the middle of it has crashed, though it was to take no more`, async () => {
      await using test = await testStore();
      const { of, id, inputIds } = await singleUse(test, 1);
      await claim(test, id);
      await test.does((tx, context) => endContainer(tx, id, { reason: "exited", code }, context));
      const [input, demand] = await test.store.read(async (tx) => [
        await tx.inputs.get(inputIds[0] ?? ""),
        await tx.functions.demand(of.id),
      ]);
      assert.deepEqual([input?.state, input?.crashes, demand?.crashStreak], ["queued", 1, 1]);
    });
  }
});

describe("inputs that a container takes before their turn", () => {
  /** Of a function that runs one at a time. */
  async function queue(test: TestStore, counts: readonly number[], policy = {}) {
    return await test.does(async (tx, context) => {
      const of = await plantFunction(tx, context, { policy: { maxConcurrency: 1, ...policy } });
      const inputIds: string[][] = [];
      for (const count of counts) inputIds.push((await plantMap(tx, of, context, count)).inputIds);
      return { inputIds, containerId: (await plantContainer(tx, of, context)).id };
    });
  }

  it("are a quarter of those that wait, and begun one after the other", async () => {
    await using test = await testStore();
    const { inputIds, containerId } = await queue(test, [40]);
    const claimed = await claim(test, containerId, 16);
    assert.deepEqual(ids(claimed), inputIds[0]?.slice(0, 10));
    assert.equal(claimed.kind === "inputs" && claimed.inTurn, true);
    const more = await claim(test, containerId, 4, new Set(ids(claimed)));
    assert.deepEqual(ids(more), inputIds[0]?.slice(10, 14), "no more than it asks for");
  });

  it("are of one call", async () => {
    await using test = await testStore();
    const { inputIds, containerId } = await queue(test, [3, 40]);
    assert.deepEqual(ids(await claim(test, containerId, 8)), inputIds[0]);
  });

  it("are none of those that were given back, which go alone", async () => {
    await using test = await testStore();
    const { inputIds, containerId } = await queue(test, [40]);
    const [first = "", ...others] = ids(await claim(test, containerId, 3));
    const back = others.map((inputId) => ({ inputId, attempt: 1 }));
    const wrong = { inputId: first, attempt: 2 };
    const given = await test.does((tx, context) => giveBackInputs(tx, containerId, [wrong, ...back], context));
    assert.deepEqual(given, others);
    const again = await test.does((tx, context) => giveBackInputs(tx, containerId, back, context));
    assert.deepEqual(again, [], "said twice it is done once");
    const received = new Set([first]);
    for (const id of others) {
      assert.deepEqual(ids(await claim(test, containerId, 8, received)), [id]);
      received.add(id);
    }
    assert.deepEqual(ids(await claim(test, containerId, 8, received)), inputIds[0]?.slice(3, 11));
  });

  it("are none of a container that takes one in its life", async () => {
    await using test = await testStore();
    const { inputIds, containerId } = await queue(test, [40], { singleUse: true });
    assert.deepEqual(ids(await claim(test, containerId, 8)), inputIds[0]?.slice(0, 1));
  });
});
