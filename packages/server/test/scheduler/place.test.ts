/** Where containers go: by examples, then by what holds for every input. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { seededRandom } from "@lydian/testkit";

import type { Gpus, Needs, Room, WorkerView } from "../../src/domain/worker.ts";
import { cutDown, fits, inTurn, place, roomOf, startCountsMs } from "../../src/scheduler/place.ts";
import { container, needs, noSlack, worker as workerWith } from "../support/rows.ts";

const worker = (id: string, milliCpu: number, memoryMib: number, changes: Partial<WorkerView> = {}): WorkerView =>
  workerWith({ id, capacity: { milliCpu, memoryMib }, ...changes });
const room = (
  id: string,
  milliCpu: number,
  memoryMib: number,
  { starts = 9, ...changes }: Partial<Room> = {},
): Room => ({ ...worker(id, milliCpu, memoryMib, changes), starts, slack: noSlack });
const request = (milliCpu: number, memoryMib: number, changes: Partial<Needs> = {}): Needs =>
  needs({ milliCpu, memoryMib, ...changes });

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
      placements: [{ request: small, workerId: "a", gpus: undefined }],
      held: [],
      unplaced: [large],
      left: [room("a", 900, 8, { starts: 8 })],
      counts: new Map(),
    });
    assert.deepEqual(place([small], []), { placements: [], held: [], unplaced: [small], left: [], counts: new Map() });
  });

  it("starts no more at a time than a worker can, which is not for want of room", () => {
    const requests = [request(100, 1), request(100, 1), request(100, 1)];
    const placed = place(requests, [room("a", 1_000, 9, { starts: 1 }), room("b", 500, 9, { starts: 1 })]);
    assert.deepEqual(
      placed.placements.map(({ workerId }) => workerId),
      ["a", "b"],
    );
    assert.deepEqual(placed.unplaced, []);
    assert.deepEqual(place(requests, [room("a", 1_000, 9, { starts: -1 })]).placements, []);
  });

  it("gives accelerators of the first kind that is free, and no one of them twice", () => {
    const gpus = [
      { kind: "H100", count: 1 },
      { kind: "A100-80GB", count: 2 },
    ];
    const either = request(1, 1, { gpus });
    const host = room("a", 9_000, 99, {
      gpus: [
        { kind: "A100-80GB", count: 4 },
        { kind: "H100", count: 1 },
      ],
    });
    const placed = place([either, either, either, either], [host]);
    assert.deepEqual(
      placed.placements.map(({ gpus }) => gpus),
      [gpus[0], gpus[1], gpus[1]],
    );
    assert.equal(placed.unplaced.length, 1);
    assert.deepEqual(placed.left[0]?.gpus, [
      { kind: "A100-80GB", count: 0 },
      { kind: "H100", count: 0 },
    ]);
    assert.deepEqual(place([request(1, 1, { gpus: [{ kind: "T4", count: 1 }] })], [host]).placements, []);
  });

  it("goes where it was asked to, and anywhere among workers that name no place", () => {
    const asked = request(1, 1, { regions: ["us"], cloud: "aws" });
    const rooms = [
      room("eu", 9, 9, { labels: { region: "eu-west-1", cloud: "aws" } }),
      room("us", 5, 9, { labels: { region: "us-east-1", cloud: "AWS" } }),
      room("other", 9, 9, { labels: { region: "us-east-1", cloud: "gcp" } }),
    ];
    assert.deepEqual(where([asked], rooms), ["us"]);
    assert.deepEqual(where([asked], [...rooms, room("home", 9, 9)]), ["home"]);
  });
});

describe("an image", () => {
  const placed = (requests: Needs[], workers: Room[]): string[] =>
    place(requests, workers).placements.map(({ workerId }) => workerId);

  it("draws containers to where it is, or where none is needed", () => {
    const image = (isBuilt: boolean) => ({ image: { id: "im-1", isBuilt } });
    const has = room("has", 500, 9, { images: new Set(["im-1"]) });
    const lacks = room("lacks", 900, 9, { images: new Set(["im-2"]) });
    assert.deepEqual(placed([request(1, 1, image(true))], [lacks, has]), ["has"]);
    assert.deepEqual(placed([request(1, 1, image(true))], [lacks]), []);
    assert.deepEqual(placed([request(1, 1, image(false))], [lacks, has, room("host", 1, 9)]), []);
    assert.deepEqual(placed([request(1, 1, image(true))], [lacks, room("host", 800, 9)]), ["host"]);
    assert.deepEqual(placed([request(1, 1)], [lacks, has]), ["lacks"]);
  });
});

describe("place, whatever comes,", () => {
  it("never goes beyond what is free, and leaves nothing out that fits", () => {
    const random = seededRandom(7);
    for (let round = 0; round < 2_000; round++) {
      const gpusOf = (count: number): Gpus[] => (random.once(3) ? [{ kind: "H100", count }] : []);
      const rooms = Array.from({ length: random.below(4) }, (_, i) =>
        room(`w${i}`, random.below(2_000) - 100, random.below(2_000) - 100, {
          starts: random.below(6) - 1,
          gpus: gpusOf(random.below(5)),
          images: new Set(), // and no request asks for one
        }),
      );
      const requests = Array.from({ length: random.below(10) }, () =>
        request(1 + random.below(800), 1 + random.below(800), { gpus: gpusOf(1 + random.below(2)) }),
      );
      const before = structuredClone(rooms);
      const { placements, unplaced, left } = place(requests, rooms);
      assert.deepEqual(rooms, before, "what it is given stays as it is");
      for (const each of rooms) {
        const own = placements.filter(({ workerId }) => workerId === each.id);
        assert.ok(own.length <= Math.max(0, each.starts), `${each.id} starts too many`);
        const sum = (of: (placed: (typeof own)[number]) => number): number =>
          own.reduce((total, placed) => total + of(placed), 0);
        const expected = {
          ...each,
          starts: each.starts - own.length,
          capacity: {
            milliCpu: each.capacity.milliCpu - sum(({ request }) => request.milliCpu),
            memoryMib: each.capacity.memoryMib - sum(({ request }) => request.memoryMib),
          },
          gpus: each.gpus.map((gpu) => ({ ...gpu, count: gpu.count - sum(({ gpus }) => gpus?.count ?? 0) })),
        };
        const found = left.find(({ id }) => id === each.id);
        assert.deepEqual(found, expected);
        if (own.length === 0) continue;
        assert.ok(fits(request(0, 0), expected), `${each.id} holds too much`);
        assert.ok(expected.gpus.every(({ count }) => count >= 0));
      }
      for (const { request, gpus } of placements) assert.deepEqual(gpus, request.gpus[0]);
      for (const each of requests) {
        if (placements.some(({ request }) => request === each)) continue;
        const hosts = left.filter((room) => fits(each, room));
        assert.ok(
          hosts.every(({ starts }) => starts <= 0),
          "what fits somewhere is left out only while others start there",
        );
        if (unplaced.includes(each)) assert.deepEqual(hosts, [], "what is said to have no room has none in the end");
      }
    }
  });
});

describe("what asks for more than there is", () => {
  it("is cut down to the largest worker, which need not be one", () => {
    const workers = [worker("a", 4_000, 1_000), worker("b", 1_000, 8_000)];
    assert.deepEqual(cutDown(request(9_000, 9_000), workers), request(4_000, 8_000));
    assert.deepEqual(cutDown(request(100, 100), workers), request(100, 100));
    assert.deepEqual(cutDown(request(9_000, 9_000), []), request(9_000, 9_000), "nothing is known without a worker");
  });
});

describe("whose turn it is", () => {
  it("is that of who has fewest, one each, then the next one each", () => {
    const wanted = [
      { of: "many", appId: "ap-1", has: 0, wants: 4 },
      { of: "one", appId: "ap-2", has: 0, wants: 1 },
      { of: "rich", appId: "ap-3", has: 2, wants: 2 },
    ];
    assert.deepEqual(inTurn(wanted), ["many", "one", "many", "many", "rich", "many", "rich"]);
  });

  it("is the app's: ten functions of one have no more turns than one of another, but for the first of each", () => {
    const large = ["a", "b", "c"].map((of) => ({ of, appId: "ap-1", has: 1, wants: 2 }));
    const small = { of: "other", appId: "ap-2", has: 1, wants: 4 };
    const turns = ["other", "other", "a", "other", "b", "other", "c", "a", "b", "c"];
    assert.deepEqual(inTurn([...large, small]), turns);
    const called = { of: "called by a", appId: "ap-1", has: 0, wants: 2 };
    assert.deepEqual(inTurn([...large, small, called]).slice(0, 3), ["called by a", "other", "other"]);
  });

  it("comes for everybody, as often as wanted, whatever the others want", () => {
    const random = seededRandom(11);
    for (let round = 0; round < 500; round++) {
      const wanted = Array.from({ length: random.below(6) }, (_, of) => ({
        of,
        appId: `ap-${of}`,
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
      container({ workerId: "a", milliCpu: 100, memoryMib: 10 }),
      container({ workerId: "a", milliCpu: 200, memoryMib: 20, state: "draining", killAt: now }),
      container({ workerId: "gone", milliCpu: 900, memoryMib: 90 }),
    ];
    const rooms = roomOf([worker("a", 1_000, 100), worker("b", 500, 50)], containers, now);
    assert.deepEqual(
      rooms.map(({ starts: _starts, slack: _slack, ...view }) => view),
      [worker("a", 700, 70), worker("b", 500, 50)],
    );
    const gpus = { kind: "H100", count: 2 };
    const [left] = roomOf(
      [worker("a", 900, 90, { gpus: [{ kind: "H100", count: 8 }] })],
      [container({ workerId: "a", gpus })],
      now,
    );
    assert.deepEqual(left?.gpus, [{ kind: "H100", count: 6 }]);
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
