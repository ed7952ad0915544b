/** Which spare containers end for others: by examples, then by what holds for every input. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { type Random, seededRandom } from "@lydian/testkit";

import type { Container } from "../../src/domain/container.ts";
import type { Needs, Room } from "../../src/domain/worker.ts";
import { fits, give } from "../../src/scheduler/place.ts";
import { candidatesFrom, reclaim as reclaimFor } from "../../src/scheduler/reclaim.ts";
import { container, demand, needs, noSlack, policy, worker as workerWith } from "../support/rows.ts";

const worker = (id: string, milliCpu: number, memoryMib = 1_000): Room => ({
  ...workerWith({ id, capacity: { milliCpu, memoryMib }, images: new Set() }), // and no request asks for one
  starts: 0,
  slack: noSlack,
});
const request = (milliCpu: number, memoryMib = 10): Needs => needs({ milliCpu, memoryMib });
const spare = (id: Container["id"], workerId: string, milliCpu: number, idleSince = 0): Container =>
  container({ id, workerId, milliCpu, memoryMib: 10, idleSince });
/** For functions that have containers. */
const reclaim = (
  requests: readonly Needs[],
  rooms: readonly Room[],
  containers: readonly Container[],
  idle: readonly Container[],
): Container[] => {
  const candidates = candidatesFrom(idle, [], containers)({ isFirst: false });
  return reclaimFor(requests, rooms, containers, () => candidates).ending;
};
const ids = (containers: readonly Container[]): string[] => containers.map(({ id }) => id);

describe("room for what fits nowhere", () => {
  it("is made by what has idled longest, on one worker", () => {
    const idle = [spare("ta-1", "a", 100, 5), spare("ta-2", "a", 100, 3), spare("ta-3", "b", 100, 4)];
    assert.deepEqual(ids(reclaim([request(100)], [worker("a", 0)], idle, idle)), ["ta-2"]);
    assert.deepEqual(ids(reclaim([request(200)], [worker("a", 0), worker("b", 0)], idle, idle)), ["ta-2", "ta-1"]);
    assert.deepEqual(ids(reclaim([request(200)], [worker("a", 0), worker("b", 100)], idle, idle)), ["ta-3"]);
  });

  it("is also that of accelerators, which the room of others cannot replace", () => {
    const gpus = { kind: "H100", count: 1 };
    const idle = [spare("ta-1", "a", 100, 1), { ...spare("ta-2", "a", 100, 2), gpus }];
    const host = { ...worker("a", 500), gpus: [{ kind: "H100", count: 0 }] };
    const wanted = { ...request(100), gpus: [gpus] };
    assert.deepEqual(ids(reclaim([wanted], [host], idle, idle)), ["ta-2"]);
    assert.deepEqual(reclaim([wanted], [host], idle, idle.slice(0, 1)), []);
  });

  it("spares those that a larger one made needless", () => {
    const idle = [spare("ta-1", "a", 10, 1), spare("ta-2", "a", 500, 2)];
    assert.deepEqual(ids(reclaim([request(500)], [worker("a", 0)], idle, idle)), ["ta-2"]);
  });

  it("is not made where it is there already, or will be when what is ending has ended", () => {
    const idle = spare("ta-1", "a", 100);
    const ending = container({ id: "ta-2", workerId: "a", milliCpu: 100, memoryMib: 10, state: "draining", killAt: 1 });
    assert.deepEqual(reclaim([request(50)], [worker("a", 60)], [idle], [idle]), []);
    assert.deepEqual(reclaim([request(100)], [worker("a", 0)], [idle, ending], [idle]), []);
    assert.deepEqual(ids(reclaim([request(100), request(100)], [worker("a", 0)], [idle, ending], [idle])), ["ta-1"]);
  });

  it("is not tried where it cannot be had: nothing ends in vain", () => {
    const idle = [spare("ta-1", "a", 100), spare("ta-2", "b", 100), spare("ta-3", "gone", 900)];
    const workers = [worker("a", 50), worker("b", 50)];
    assert.deepEqual(reclaim([request(200)], workers, idle, idle), []);
    assert.deepEqual(reclaim([request(100, 5_000)], workers, idle, idle), []);
    assert.deepEqual(ids(reclaim([request(9_000), request(120)], workers, idle, idle)), ["ta-1"]);
  });
});

describe("who ends for others", () => {
  const busy = (id: string, changes: Partial<Container> = {}): Container =>
    container({ id: `ta-${id}`, held: 1, ...changes });
  const of = (functionId: `fu-${string}`, ...all: Container[]): Container[] =>
    all.map((each) => ({ ...each, functionId }));
  const two = of("fu-2", busy("21"), busy("22"));
  const three = of("fu-3", busy("31"), busy("32"), busy("33"));
  const demands = [demand({ functionId: "fu-2" }), demand({ functionId: "fu-3" })];
  const idle = [spare("ta-1", "a", 100, 5), spare("ta-2", "a", 100, 3)];

  it("is what idles, longest first, and for a function's first container also what is busy where there are several", () => {
    const candidates = candidatesFrom(idle, demands, [...two, ...three]);
    assert.deepEqual(ids(candidates({ isFirst: false })), ["ta-2", "ta-1"]);
    assert.deepEqual(ids(candidates({ isFirst: true })), ["ta-2", "ta-1", "ta-33", "ta-22", "ta-32"]);
  });

  it("is never the last that a function has, nor one that is always kept or ends already", () => {
    const first = (all: Container[], changes: Parameters<typeof policy>[0] = {}): string[] =>
      ids(candidatesFrom([], [demand({ functionId: "fu-3", policy: policy(changes) })], all)({ isFirst: true }));
    assert.deepEqual(first(three.slice(0, 1)), []);
    assert.deepEqual(first(three, { minContainers: 3 }), []);
    assert.deepEqual(first(three, { minContainers: 2 }), ["ta-33"]);
    const ending = of("fu-3", busy("34", { state: "draining", killAt: 1 }));
    assert.deepEqual(first([...three.slice(0, 1), ...ending]), []);
  });
});

/** Workers, what is on them, and which of that is spare. */
function randomHosts(random: Random) {
  const workers = Array.from({ length: 1 + random.below(3) }, (_, i) =>
    worker(`w${i}`, random.below(400), random.below(400)),
  );
  const containers = Array.from({ length: random.below(9) }, (_, i) =>
    container({
      id: `ta-${i}`,
      workerId: random.once(9) ? "gone" : (random.pick(workers)?.id ?? ""),
      state: random.once(4) ? "draining" : "ready",
      milliCpu: 1 + random.below(300),
      memoryMib: 1 + random.below(300),
      idleSince: random.below(100),
    }),
  );
  const idle = containers.filter(({ state }) => state === "ready" && !random.once(3));
  return { workers, containers, idle };
}

/** Whether the request fits on a worker once what drains and these are gone. */
function fitsAfter(request: Needs, workers: readonly Room[], gone: readonly Container[]): boolean {
  return workers.some((worker) => {
    const own = gone.filter(({ workerId }) => workerId === worker.id);
    return fits(request, own.reduce(give, worker));
  });
}

describe("room, whatever comes", () => {
  const random = seededRandom(5);

  it("for one request is made if it can be, by spare containers alone, and by none that is not needed", () => {
    const counts = { made: 0, there: 0, hopeless: 0 };
    for (let round = 0; round < 5_000; round++) {
      const { workers, containers, idle } = randomHosts(random);
      const draining = containers.filter(({ state }) => state === "draining");
      const wanted = request(1 + random.below(700), 1 + random.below(700));
      const before = structuredClone({ workers, containers, idle });
      const chosen = reclaim([wanted], workers, containers, idle);
      assert.deepEqual({ workers, containers, idle }, before, "what it is given stays as it is");
      assert.ok(chosen.every((each) => idle.includes(each)));
      assert.equal(new Set(chosen).size, chosen.length);
      if (fitsAfter(wanted, workers, draining)) counts.there++;
      else if (fitsAfter(wanted, workers, [...draining, ...idle])) counts.made++;
      else counts.hopeless++;
      const possible = fitsAfter(wanted, workers, [...draining, ...idle]);
      assert.equal(fitsAfter(wanted, workers, [...draining, ...chosen]), possible);
      if (!possible) assert.deepEqual(chosen, []);
      for (const each of chosen) {
        const others = chosen.filter((other) => other !== each);
        assert.equal(fitsAfter(wanted, workers, [...draining, ...others]), false, `${each.id} ends in vain`);
      }
      const now = containers.map((each) => (chosen.includes(each) ? { ...each, state: "draining" as const } : each));
      const left = idle.filter((each) => !chosen.includes(each));
      assert.deepEqual(reclaim([wanted], workers, now, left), [], "looking again ends nothing else");
    }
    for (const [kind, count] of Object.entries(counts)) assert.ok(count > 200, `${count} cases are ${kind}`);
  });

  it("for many of one size is exactly what they need", () => {
    for (let round = 0; round < 1_000; round++) {
      const size = request(100, 50);
      const workers = Array.from({ length: 1 + random.below(3) }, (_, i) => worker(`w${i}`, random.below(250)));
      const idle = Array.from({ length: random.below(8) }, (_, i) =>
        container({
          id: `ta-${i}`,
          workerId: random.pick(workers)?.id ?? "",
          milliCpu: 100,
          memoryMib: 50,
          idleSince: random.below(100),
        }),
      );
      const count = random.below(12);
      const requests = Array.from({ length: count }, () => size);
      const chosen = reclaim(requests, workers, idle, idle);
      const slots = workers.reduce((sum, { capacity }) => sum + Math.floor(capacity.milliCpu / 100), 0);
      assert.equal(chosen.length, Math.min(idle.length, Math.max(0, count - slots)));
      const now = idle.map((each) => (chosen.includes(each) ? { ...each, state: "draining" as const } : each));
      const left = idle.filter((each) => !chosen.includes(each));
      assert.deepEqual(reclaim(requests, workers, now, left), [], "looking again ends nothing else");
    }
  });
});
