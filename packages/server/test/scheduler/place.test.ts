/** Where containers go: by examples, then by what holds for every input. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { seededRandom } from "@lydian/testkit";

import type { Room, WorkerView } from "../../src/domain/worker.ts";
import { fits, inTurn, place, roomOf, startCountsMs } from "../../src/scheduler/place.ts";
import { container } from "../support/rows.ts";

const worker = (id: string, milliCpu: number, memoryMib: number): WorkerView => ({
  id,
  capacity: { milliCpu, memoryMib },
});
const room = (id: string, milliCpu: number, memoryMib: number, starts = 9): Room => ({
  ...worker(id, milliCpu, memoryMib),
  starts,
});
const request = (milliCpu: number, memoryMib: number) => ({ milliCpu, memoryMib });

describe("place", () => {
  const where = (requests: ReturnType<typeof request>[], workers: Room[]): string[] =>
    place(requests, workers).placements.map(({ workerId }) => workerId);

  it("spreads by free processor time", () => {
    assert.deepEqual(
      where([request(500, 1), request(500, 1), request(500, 1)], [room("a", 1_000, 9), room("b", 1_200, 9)]),
      ["b", "a", "b"],
    );
  });

  it("goes where memory is, too", () => {
    assert.deepEqual(where([request(100, 512)], [room("a", 9_000, 256), room("b", 200, 512)]), ["b"]);
  });

  it("leaves out what nobody can hold, says so, and goes on with the rest", () => {
    const [large, small] = [request(5_000, 1), request(100, 1)];
    assert.deepEqual(place([large, small], [room("a", 1_000, 9)]), {
      placements: [{ request: small, workerId: "a" }],
      unplaced: [large],
      free: [worker("a", 900, 8)],
    });
    assert.deepEqual(place([small], []), { placements: [], unplaced: [small], free: [] });
  });

  it("starts no more at a time than a worker can, which is not for want of room", () => {
    const requests = [request(100, 1), request(100, 1), request(100, 1)];
    const placed = place(requests, [room("a", 1_000, 9, 1), room("b", 500, 9, 1)]);
    assert.deepEqual(
      placed.placements.map(({ workerId }) => workerId),
      ["a", "b"],
    );
    assert.deepEqual(placed.unplaced, []);
    assert.deepEqual(place(requests, [room("a", 1_000, 9, -1)]).placements, []);
  });

  it("never goes beyond what is free, and leaves nothing out that fits", () => {
    const random = seededRandom(7);
    for (let round = 0; round < 2_000; round++) {
      const workers = Array.from({ length: random.below(4) }, (_, i) =>
        room(`w${i}`, random.below(2_000) - 100, random.below(2_000) - 100, random.below(6) - 1),
      );
      const requests = Array.from({ length: random.below(10) }, () =>
        request(1 + random.below(800), 1 + random.below(800)),
      );
      const before = structuredClone(workers);
      const { placements, unplaced, free } = place(requests, workers);
      assert.deepEqual(workers, before, "what it is given stays as it is");
      for (const { id, capacity, starts } of workers) {
        const own = placements.filter(({ workerId }) => workerId === id).map(({ request }) => request);
        assert.ok(own.length <= Math.max(0, starts), `${id} starts too many`);
        const left = free.find((each) => each.id === id)?.capacity;
        const sum = (key: "milliCpu" | "memoryMib"): number => own.reduce((total, each) => total + each[key], 0);
        assert.deepEqual(left, {
          milliCpu: capacity.milliCpu - sum("milliCpu"),
          memoryMib: capacity.memoryMib - sum("memoryMib"),
        });
        if (own.length > 0) assert.ok(left !== undefined && fits(request(0, 0), left), `${id} holds too much`);
      }
      for (const each of requests) {
        if (placements.some(({ request }) => request === each)) continue;
        const hosts = free.filter(({ capacity }) => fits(each, capacity));
        const waits = hosts.every(({ id }) => {
          const mine = placements.filter(({ workerId }) => workerId === id).length;
          return mine >= (workers.find((each) => each.id === id)?.starts ?? 0);
        });
        assert.ok(waits, "what fits somewhere is left out only while others start there");
        if (!unplaced.includes(each)) continue;
        assert.deepEqual(hosts, [], "what is said to have no room has none in the end");
      }
    }
  });
});

describe("whose turn it is", () => {
  it("is that of who has fewest, one each, then the next one each", () => {
    const wanted = [
      { of: "many", has: 0, wants: 4 },
      { of: "one", has: 0, wants: 1 },
      { of: "rich", has: 2, wants: 2 },
    ];
    assert.deepEqual(inTurn(wanted), ["many", "one", "many", "many", "rich", "many", "rich"]);
  });

  it("comes for everybody, as often as wanted, whatever the others want", () => {
    const random = seededRandom(11);
    for (let round = 0; round < 500; round++) {
      const wanted = Array.from({ length: random.below(6) }, (_, of) => ({
        of,
        has: random.below(5),
        wants: random.below(7),
      }));
      const turns = inTurn(wanted);
      for (const { of, wants } of wanted) assert.equal(turns.filter((each) => each === of).length, wants);
      // Before anybody's nth container, nobody else gets one beyond their nth while they have fewer.
      const has = new Map(wanted.map(({ of, has }) => [of, has]));
      const left = new Map(wanted.map(({ of, wants }) => [of, wants]));
      for (const of of turns) {
        const mine = has.get(of) ?? 0;
        const poorest = Math.min(
          ...wanted.filter((each) => (left.get(each.of) ?? 0) > 0).map((w) => has.get(w.of) ?? 0),
        );
        assert.equal(mine, poorest);
        has.set(of, mine + 1);
        left.set(of, (left.get(of) ?? 0) - 1);
      }
    }
  });
});

describe("a worker's room", () => {
  const now = 1_000_000;

  it("is what the containers on it leave", () => {
    const containers = [
      container({ workerId: "a", ...request(100, 10) }),
      container({ workerId: "a", ...request(200, 20), state: "draining", killAt: now }),
      container({ workerId: "gone", ...request(900, 90) }),
    ];
    const rooms = roomOf([worker("a", 1_000, 100), worker("b", 500, 50)], containers, now);
    assert.deepEqual(
      rooms.map(({ id, capacity }) => ({ id, capacity })),
      [worker("a", 700, 70), worker("b", 500, 50)],
    );
  });

  it("for starts is one for each processor and one more, less those that start now", () => {
    const starts = (milliCpu: number, ...containers: Parameters<typeof container>[0][]): number | undefined =>
      roomOf(
        [worker("a", milliCpu, 100)],
        containers.map((changes) => container({ workerId: "a", ...changes })),
        now,
      )[0]?.starts;
    assert.equal(starts(2_000), 3);
    assert.equal(starts(500), 2);
    assert.equal(starts(2_000, { state: "assigned", createdAt: now }, { state: "starting", createdAt: now - 10 }), 1);
    assert.equal(starts(2_000, { state: "ready", createdAt: now }, { state: "draining", createdAt: now }), 3);
    assert.equal(starts(2_000, { state: "starting", createdAt: now - startCountsMs + 1 }), 2);
    assert.equal(
      starts(2_000, { state: "starting", createdAt: now - startCountsMs }),
      3,
      "a long one waits for something",
    );
  });
});
