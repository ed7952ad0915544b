/** What a pass decides: first containers before others, and room that is made for one is not taken by another. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { seededRandom } from "@lydian/testkit";

import type { Container } from "../../src/domain/container.ts";
import type { Room } from "../../src/domain/worker.ts";
import { noCeilings } from "../../src/scheduler/ceilings.ts";
import { type Wanted, plan } from "../../src/scheduler/plan.ts";
import { roomOf as roomWithSlack } from "../../src/scheduler/place.ts";
import { container, needs, noSlack, worker as workerWith } from "../support/rows.ts";

const worker = (id: string, milliCpu: number) => workerWith({ id, capacity: { milliCpu, memoryMib: 100_000 } });
/** Where first containers get no more than others. */
const roomOf = (...given: Parameters<typeof roomWithSlack>): Room[] =>
  roomWithSlack(...given).map((room) => ({ ...room, slack: noSlack }));
const wants = (milliCpu: number, isFirst: boolean, changes: Partial<Wanted> = {}): Wanted => ({
  ...needs({ milliCpu, memoryMib: 1 }),
  appId: "ap-1",
  isFirst,
  ...changes,
});
const runs = (id: string, milliCpu: number, changes: Partial<Container> = {}): Container =>
  container({ id: `ta-${id}`, milliCpu, memoryMib: 1, workerId: "a", held: 1, ...changes });

/** `busy` may end for first containers, and nothing for others. */
const decide = (requests: Wanted[], rooms: Room[], containers: Container[], busy: Container[] = []) => {
  const candidates = ({ isFirst }: { isFirst: boolean }): Container[] => (isFirst ? busy : []);
  const made = plan(requests, { rooms, containers, ceilings: noCeilings, candidates });
  return {
    placed: made.placements.map(({ request }) => requests.indexOf(request)),
    unplaced: made.unplaced.map((request) => requests.indexOf(request)),
    ending: made.ending.map(({ id }) => id),
  };
};

const now = 1_000_000;

describe("slack", () => {
  it("lends first containers what others do not get, until that is given out too", () => {
    const all = [runs("1", 500), runs("2", 500)];
    const rooms = roomWithSlack([worker("a", 1_000)], all, now);
    const requests = [wants(500, false), wants(700, true), wants(300, true), wants(1, true)];
    assert.deepEqual(decide(requests, rooms, all), { placed: [1, 2], unplaced: [3, 0], ending: [] });
  });

  it("gives what was lent to nobody, even when something ends", () => {
    const all = [runs("1", 900), runs("lent", 800)];
    const rooms = roomWithSlack([worker("a", 1_000)], all.slice(1), now);
    assert.deepEqual(decide([wants(200, false), wants(201, false)], rooms, all), {
      placed: [0],
      unplaced: [1],
      ending: [],
    });
  });
});

describe("a pass", () => {
  it("places first containers before others, whatever their order", () => {
    const rooms = roomOf([worker("a", 1_000)], [], now);
    const requests = [wants(600, false), wants(600, true)];
    assert.deepEqual(decide(requests, rooms, []), { placed: [1], unplaced: [0], ending: [] });
  });

  it("keeps the room that is being made for a first one, until all of it is there", () => {
    const all = [runs("1", 400), runs("2", 400), runs("3", 200)];
    const requests = [wants(700, true), wants(300, false)];
    const begins = decide(requests, roomOf([worker("a", 1_000)], all, now), all, all.slice(0, 2));
    assert.deepEqual(begins, { placed: [], unplaced: [0, 1], ending: ["ta-1", "ta-2"] });
    const [, second, third] = all;
    assert.ok(second && third);
    const halfway = [{ ...second, state: "draining" as const }, third];
    const waits = decide(requests, roomOf([worker("a", 1_000)], halfway, now), halfway);
    assert.deepEqual(waits, { placed: [], unplaced: [0, 1], ending: [] }, "the second one does not get what is free");
    const there = decide(requests, roomOf([worker("a", 1_000)], [third], now), [third]);
    assert.deepEqual(there, { placed: [0], unplaced: [1], ending: [] });
  });

  it("keeps nothing for a first one that has no room to come, nor on other workers", () => {
    const all = [runs("1", 900)];
    const rooms = roomOf([worker("a", 1_000), worker("b", 300)], all, now);
    assert.deepEqual(decide([wants(700, true), wants(300, false), wants(100, false)], rooms, all), {
      placed: [1, 2],
      unplaced: [0],
      ending: [],
    });
    assert.deepEqual(decide([wants(700, true), wants(300, false), wants(100, false)], rooms, all, all), {
      placed: [1],
      unplaced: [0, 2],
      ending: ["ta-1"],
    });
  });

  it("keeps accelerators as well", () => {
    const gpus = [{ kind: "H100", count: 2 }];
    const host = { ...worker("a", 1_000), gpus };
    const all = [runs("1", 100, { gpus: { kind: "H100", count: 1 } })];
    const requests = [wants(100, true, { gpus }), wants(100, false, { gpus: [{ kind: "H100", count: 1 }] })];
    assert.deepEqual(decide(requests, roomOf([host], all, now), all, all), {
      placed: [],
      unplaced: [0, 1],
      ending: ["ta-1"],
    });
  });

  it("never gives out more than there is, and ends nothing twice", () => {
    const random = seededRandom(8);
    for (let round = 0; round < 2_000; round++) {
      const workers = ["a", "b"].map((id) => worker(id, 500 + random.below(1_000)));
      const all = Array.from({ length: random.below(6) }, (_, n) =>
        runs(String(n), 1 + random.below(300), {
          workerId: random.pick(["a", "b"]) ?? "a",
          state: random.once(4) ? "draining" : "ready",
        }),
      );
      const rooms = roomOf(workers, all, now);
      const requests = Array.from({ length: random.below(6) }, () => wants(1 + random.below(800), random.once(2)));
      const busy = all.filter(({ state }) => state === "ready" && random.once(2));
      const made = plan(requests, {
        rooms,
        containers: all,
        ceilings: noCeilings,
        candidates: ({ isFirst }) => (isFirst ? busy : busy.slice(1)),
      });
      for (const { id, capacity } of rooms) {
        const taken = made.placements.filter(({ workerId }) => workerId === id);
        const given = taken.reduce((sum, { request }) => sum + request.milliCpu, 0);
        assert.ok(given === 0 || given <= capacity.milliCpu);
      }
      assert.equal(new Set(made.ending).size, made.ending.length);
      assert.ok(made.ending.every((each) => busy.some(({ id }) => id === each.id)));
    }
  });
});
