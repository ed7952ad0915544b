import assert from "node:assert/strict";
import { test } from "node:test";

import { create } from "@bufbuild/protobuf";
import * as wire from "@lydian/contract/worker";
import { createLogger } from "@lydian/kit";
import { ManualClock } from "@lydian/testkit";

import { keyOf, type StarterKind } from "../../src/starters/kind.ts";
import { Starters, type WaitingStarter } from "../../src/starters/starters.ts";

class FakeStarter implements WaitingStarter {
  readonly kind: StarterKind;
  readonly place: WaitingStarter["place"];
  readonly shown = undefined;
  readonly #ended = new AbortController();
  isDropped = false;

  constructor(place: WaitingStarter["place"], kind: StarterKind) {
    this.place = place;
    this.kind = kind;
  }

  get socket(): never {
    return assert.fail("nobody takes it so far");
  }

  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  end(): void {
    this.#ended.abort();
  }

  async drop(): Promise<void> {
    this.isDropped = true;
  }

  become = (): never => assert.fail("nobody takes it so far");
  run = (): never => assert.fail("nobody takes it so far");
}

function scene(count = 1) {
  const clock = new ManualClock();
  const made: FakeStarter[] = [];
  const memory = { free: 50, total: 100 };
  const world = { clock, made, memory, isBroken: false, gate: Promise.resolve() };
  const starters = new Starters({
    data: "/data",
    count,
    clock,
    logger: createLogger("test", "silent"),
    memory: () => memory,
    async make(place, kind) {
      if (world.isBroken) throw new Error("it cannot be made");
      await world.gate;
      const starter = new FakeStarter(place, kind);
      made.push(starter);
      return starter;
    },
  });
  const take = (imageId = "im-1"): string | undefined => {
    const kind = { case: "python", value: { python: "3.11", clientVersion: "1.6.4" } } as const;
    const found = starters.take(create(wire.ContainerSpecSchema, { imageId, runner: { kind } }));
    return found && made.find((each) => each === found) && keyOf((found as FakeStarter).kind);
  };
  const pass = (ms: number): Promise<void> => clock.advance(ms);
  return { ...world, world, starters, take, pass };
}

test("starters are made of the kinds that were wanted, after a moment's rest, as many as are to wait", async () => {
  const { made, take, pass } = scene(2);
  assert.equal(take(), undefined);
  await pass(499);
  assert.equal(made.length, 0);
  await pass(1);
  assert.equal(made.length, 2);
  assert.equal(take(), "1.6.4 on im-1");
  assert.equal(take(), "1.6.4 on im-1");
  assert.equal(take(), undefined, "each serves once");
  await pass(500);
  assert.equal(made.length, 4);
});

test("starters serve only their own kind", async () => {
  const { take, pass } = scene();
  take("im-1");
  await pass(500);
  assert.equal(take("im-2"), undefined);
  await pass(500);
  assert.equal(take("im-2"), "1.6.4 on im-2");
  assert.equal(take("im-1"), "1.6.4 on im-1");
});

test("starters of the kinds that were wanted longest ago are given up", async () => {
  const { made, take, pass } = scene();
  for (const minor of [8, 9, 10, 11, 12]) {
    take(`3.${minor}`);
    await pass(500);
  }
  assert.deepEqual(
    made.filter(({ isDropped }) => isDropped).map(({ kind }) => kind.imageId),
    ["3.8"],
  );
});

test("starters are given up when memory is short, and none is made", async () => {
  const { made, memory, take, pass } = scene();
  take();
  await pass(500);
  memory.free = 9;
  assert.equal(take(), undefined);
  assert.equal(made[0]?.isDropped, true);
  await pass(500);
  assert.equal(made.length, 1);
  memory.free = 50;
  take();
  await pass(500);
  assert.equal(made.length, 2);
});

test("starters that end while they wait are replaced, later each time, until their kind is given up", async () => {
  const { made, take, pass } = scene();
  take();
  await pass(500);
  made[0]?.end();
  await pass(9_999);
  assert.equal(made.length, 1);
  await pass(1);
  assert.equal(made.length, 2);
  assert.equal(made[0]?.isDropped, true);
  assert.equal(take(), "1.6.4 on im-1");
});

test("starters that cannot be made are tried again three times, and when they are wanted again", async () => {
  const it = scene();
  it.world.isBroken = true;
  it.take();
  for (const ms of [500, 10_000, 20_000, 40_000]) await it.pass(ms);
  it.world.isBroken = false;
  await it.pass(1_000_000);
  assert.equal(it.made.length, 0);
  it.take();
  await it.pass(500);
  assert.equal(it.made.length, 1);
});

test("starters of images that go end, also those that are just being made, and are made when they are wanted again", async () => {
  const { world, starters, made, take, pass } = scene();
  take("im-1");
  take("im-2");
  await pass(500);
  assert.equal(starters.hostIds().size, 2);
  await starters.leave(new Set(["im-1"]));
  assert.deepEqual(
    made.map(({ kind, isDropped }) => [kind.imageId, isDropped]),
    [
      ["im-2", false],
      ["im-1", true],
    ],
  );
  const { promise, resolve } = Promise.withResolvers<void>();
  world.gate = promise;
  take("im-3");
  await pass(500);
  await starters.leave(new Set(["im-3"]));
  resolve();
  await pass(0);
  assert.deepEqual([made.at(-1)?.kind.imageId, made.at(-1)?.isDropped], ["im-3", true]);
  take("im-3");
  await pass(500);
  assert.equal(take("im-3"), "1.6.4 on im-3");
});

test("starters end with the worker, also those that are just being made", async () => {
  const { made, starters, take, pass } = scene(2);
  take();
  await pass(500);
  await starters.close();
  assert.ok(made.every(({ isDropped }) => isDropped));
  assert.equal(take(), undefined);
});
