/** Where containers go: by examples, then by what holds for every input. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { seededRandom } from "@lydian/testkit";

import type { WorkerView } from "../../src/domain/worker.ts";
import { freeCapacity, place } from "../../src/scheduler/place.ts";

const worker = (id: string, milliCpu: number, memoryMib: number): WorkerView => ({
  id,
  capacity: { milliCpu, memoryMib },
});
const request = (milliCpu: number, memoryMib: number) => ({ milliCpu, memoryMib });

describe("place", () => {
  const where = (requests: ReturnType<typeof request>[], workers: WorkerView[]): string[] =>
    place(requests, workers).map(({ workerId }) => workerId);

  it("spreads by free processor time", () => {
    assert.deepEqual(
      where([request(500, 1), request(500, 1), request(500, 1)], [worker("a", 1_000, 9), worker("b", 1_200, 9)]),
      ["b", "a", "b"],
    );
  });

  it("goes where memory is, too", () => {
    assert.deepEqual(where([request(100, 512)], [worker("a", 9_000, 256), worker("b", 200, 512)]), ["b"]);
  });

  it("leaves out what nobody can hold, and goes on with the rest", () => {
    const placed = place([request(5_000, 1), request(100, 1)], [worker("a", 1_000, 9)]);
    assert.deepEqual(placed, [{ request: request(100, 1), workerId: "a" }]);
    assert.deepEqual(where([request(1, 1)], []), []);
  });

  it("never goes beyond what is free, and leaves nothing out that fits", () => {
    const random = seededRandom(7);
    for (let round = 0; round < 2_000; round++) {
      const workers = Array.from({ length: random.below(4) }, (_, i) =>
        worker(`w${i}`, random.below(2_000) - 100, random.below(2_000) - 100),
      );
      const requests = Array.from({ length: random.below(10) }, () =>
        request(1 + random.below(800), 1 + random.below(800)),
      );
      const before = structuredClone(workers);
      const placements = place(requests, workers);
      assert.deepEqual(workers, before, "what it is given stays as it is");
      const held = placements.map(({ request, workerId }) => ({ ...request, workerId }));
      const left = freeCapacity(workers, held);
      for (const { id, capacity } of left) {
        if (!held.some(({ workerId }) => workerId === id)) continue;
        assert.ok(capacity.milliCpu >= 0 && capacity.memoryMib >= 0, `${id} holds too much`);
      }
      const leftOut = requests.filter((each) => !placements.some(({ request }) => request === each));
      for (const each of leftOut) {
        const fits = left.some(({ capacity: c }) => c.milliCpu >= each.milliCpu && c.memoryMib >= each.memoryMib);
        assert.equal(fits, false);
      }
    }
  });
});

describe("free capacity", () => {
  it("is what the containers on a worker leave", () => {
    const containers = [
      { workerId: "a", ...request(100, 10) },
      { workerId: "a", ...request(200, 20) },
      { workerId: "gone", ...request(900, 90) },
    ];
    assert.deepEqual(freeCapacity([worker("a", 1_000, 100), worker("b", 500, 50)], containers), [
      worker("a", 700, 70),
      worker("b", 500, 50),
    ]);
  });
});
