/** How many containers a function gets: by examples, then by what holds for every input. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { seededRandom } from "@lydian/testkit";

import { type Container, type ContainerState, takesInputs } from "../../src/domain/container.ts";
import type { Demand } from "../../src/domain/function.ts";
import { autoscale, isReplaced } from "../../src/scheduler/autoscale.ts";
import { container, demand, policy } from "../support/rows.ts";

const now = 1_000_000;

/** Containers by their states; those that are ready are busy unless they say since when they are idle. */
const group = (...all: readonly Partial<Container>[]): Container[] =>
  all.map((changes, index) =>
    container({ id: `ta-${index}`, held: changes.idleSince === undefined ? 1 : 0, ...changes }),
  );

describe("autoscale", () => {
  it("starts one container for each input that none has, up to the limit", () => {
    const table: [Partial<Demand>, Container[], number][] = [
      [{ queued: 0 }, [], 0],
      [{ queued: 3 }, [], 3],
      [{ queued: 30 }, [], 10],
      [{ queued: 3, claimed: 2 }, group({}, {}), 3],
      [{ queued: 2 }, group({ state: "assigned" }, { state: "starting" }), 0],
      [{ queued: 1 }, group({ state: "draining", killAt: 1, held: 0 }), 1],
      [{ queued: 5, policy: policy({ targetConcurrency: 2 }) }, [], 3],
      [{ queued: 0, policy: policy({ minContainers: 2 }) }, [], 2],
      [{ queued: 9, policy: policy({ minContainers: 2, maxContainers: 1 }) }, [], 1],
      [{ queued: 9, policy: policy({ maxContainers: 0 }) }, [], 0],
      [{ queued: 17, policy: policy({ targetConcurrency: 8, batchSize: 8 }) }, [], 3],
      [{ delayed: 5 }, [], 0],
    ];
    for (const [changes, containers, start] of table) {
      assert.equal(autoscale(demand(changes), containers, now).start, start, JSON.stringify(changes));
    }
  });

  it("keeps idle containers beside the busy ones, while there are any", () => {
    const buffer = { policy: policy({ bufferContainers: 2 }) };
    const idle = group({ idleSince: 0 }, { idleSince: 1 }, { idleSince: 2 });
    assert.equal(autoscale(demand({ ...buffer, queued: 1 }), [], now).start, 3);
    assert.equal(autoscale(demand({ ...buffer, claimed: 1 }), group({}), now).start, 2);
    assert.equal(autoscale(demand({ ...buffer, claimed: 9 }), [], now).start, 10, "within the limit");
    assert.equal(autoscale(demand(buffer), [], now).start, 0, "none for a function that nobody calls");
    assert.deepEqual(autoscale(demand({ ...buffer, claimed: 1 }), [...group({}), ...idle], now).drain, [idle[0]]);
    assert.equal(autoscale(demand(buffer), idle, now).drain.length, 3);
    const both = { policy: policy({ bufferContainers: 2, minContainers: 4 }) };
    assert.equal(autoscale(demand({ ...both, queued: 1 }), [], now).start, 4, "the kept ones are among them");
  });

  it("never has more containers than the limit, those that drain included", () => {
    const only = { policy: policy({ maxContainers: 1 }) };
    const draining = group({ state: "draining", killAt: 1, held: 1 });
    assert.equal(autoscale(demand({ ...only, queued: 5, claimed: 1 }), draining, now).start, 0);
    assert.equal(autoscale(demand({ ...only, queued: 5 }), [], now).start, 1);
    const two = { policy: policy({ maxContainers: 2 }) };
    assert.equal(autoscale(demand({ ...two, queued: 5, claimed: 1 }), draining, now).start, 1);
    assert.equal(autoscale(demand({ ...two, queued: 5 }), group({}, {}, {}), now).start, 0, "a limit that was lowered");
  });

  it("says which idle containers others may have the room of: all that are not needed or kept", () => {
    const idle = group({ idleSince: now - 3 }, { idleSince: now - 1 }, { idleSince: now - 2 }, {});
    const spare = (changes: Partial<Demand>): string[] =>
      autoscale(demand({ claimed: 1, ...changes }), idle, now).spare.map(({ id }) => id);
    assert.deepEqual(spare({}), ["ta-0", "ta-2", "ta-1"]);
    assert.deepEqual(spare({ queued: 1 }), ["ta-0", "ta-2"], "one is about to take what waits");
    assert.deepEqual(spare({ queued: 50 }), []);
    assert.deepEqual(spare({ policy: policy({ minContainers: 3 }) }), ["ta-0"]);
    assert.deepEqual(spare({ policy: policy({ bufferContainers: 2 }) }), ["ta-0"]);
    assert.deepEqual(spare({ queued: 50, notBefore: now + 9 }), []);
  });

  it("starts none for what a draining container still finishes", () => {
    const draining = group({ state: "draining", killAt: 1, held: 1 });
    assert.equal(autoscale(demand({ claimed: 1 }), draining, now).start, 0);
    assert.equal(autoscale(demand({ claimed: 1, queued: 1 }), draining, now).start, 1);
  });

  it("starts none before the function's time after crashes, and looks again then", () => {
    const waiting = demand({ queued: 1, notBefore: now + 500 });
    assert.deepEqual(autoscale(waiting, [], now), {
      ...{ start: 0, drain: [], replaced: [], spare: [] },
      lookAgainAt: now + 500,
    });
    assert.equal(autoscale(waiting, [], now + 500).start, 1);
  });
});

describe("autoscale, of idle containers,", () => {
  it("gives back what was idle for the window, longest first, and says when the next is due", () => {
    const containers = group({ idleSince: now - 60_000 }, { idleSince: now - 10_000 }, { idleSince: now - 70_000 }, {});
    const { drain, lookAgainAt } = autoscale(demand({ claimed: 1 }), containers, now);
    assert.deepEqual(
      drain.map(({ id }) => id),
      ["ta-2", "ta-0"],
    );
    assert.equal(lookAgainAt, now + 50_000);
  });

  it("keeps the least number and what the inputs need", () => {
    const idle = group({ idleSince: 0 }, { idleSince: 1 }, { idleSince: 2 });
    const drained = (changes: Partial<Demand>): number => autoscale(demand(changes), idle, now).drain.length;
    assert.equal(drained({}), 3);
    assert.equal(drained({ policy: policy({ minContainers: 2 }) }), 1);
    assert.equal(drained({ queued: 2 }), 1);
    assert.equal(drained({ queued: 9 }), 0);
  });

  it("looks again for a busy container, which tells nobody when it has become idle", () => {
    assert.equal(autoscale(demand({ claimed: 1 }), group({}), now).lookAgainAt, now + 60_000);
    const kept = demand({ claimed: 1, policy: policy({ minContainers: 1 }) });
    assert.equal(autoscale(kept, group({}), now).lookAgainAt, undefined);
  });
});

describe("autoscale, after a deployment,", () => {
  const old = { definitionId: "de-0" };
  const decide = (changes: Partial<Demand>, containers: Container[]): [number, string[]] => {
    const { start, replaced } = autoscale(demand(changes), containers, now);
    return [start, replaced.map(({ id }) => id)];
  };

  it("starts a new container while the old ones take inputs, also where nobody calls, and ends them when it is ready", () => {
    const idle = group({ ...old, idleSince: now });
    assert.deepEqual(decide({}, idle), [1, []]);
    const busy = group(old, old);
    assert.deepEqual(decide({ claimed: 2 }, busy), [2, []]);
    assert.deepEqual(decide({ claimed: 2 }, [...busy, ...group({ id: "ta-2", state: "starting", held: 0 })]), [1, []]);
    const ready = group({ id: "ta-2", idleSince: now });
    assert.deepEqual(decide({ claimed: 2 }, [...busy, ...ready]), [1, ["ta-0"]], "one for one");
    assert.deepEqual(decide({}, [...group({ ...old, idleSince: now }), ...ready]), [0, ["ta-0"]]);
  });

  it("keeps the old ones for as long as no new one can be had", () => {
    assert.deepEqual(decide({ claimed: 1, notBefore: now + 9 }, group(old)), [0, []]);
    assert.deepEqual(decide({ claimed: 1 }, group(old, { state: "draining", killAt: now + 9, held: 0 })), [1, []]);
  });

  it("ends an idle one after its window, as ever", () => {
    const { drain } = autoscale(
      demand(),
      group({ ...old, idleSince: now - 60_000 }, { state: "starting", held: 0 }),
      now,
    );
    assert.deepEqual(
      drain.map(({ id }) => id),
      ["ta-0"],
    );
  });

  it("makes way within the limit one at a time, unless new ones crash", () => {
    const two = { policy: policy({ maxContainers: 2 }), queued: 2, claimed: 2 };
    assert.deepEqual(decide(two, group(old, old)), [0, ["ta-0"]]);
    assert.deepEqual(decide({ ...two, notBefore: now + 1 }, group(old, old)), [0, []]);
    assert.deepEqual(decide(two, group({ ...old, state: "draining", killAt: now }, old)), [0, []]);
    assert.deepEqual(decide(two, group(old, { state: "starting", held: 0 })), [0, []]);
    assert.deepEqual(decide(two, group(old, {})), [0, ["ta-0"]]);
    assert.deepEqual(decide({ policy: policy({ maxContainers: 1 }) }, group({ ...old, idleSince: now })), [
      0,
      ["ta-0"],
    ]);
  });
});

/** What may come: any policy, any containers, any number of inputs. */
function randomCases(): { demand: Demand; containers: Container[] }[] {
  const random = seededRandom(42);
  const states: readonly ContainerState[] = ["assigned", "starting", "ready", "draining"];
  return Array.from({ length: 5_000 }, () => {
    const containers = Array.from({ length: random.below(12) }, (_, index) => {
      const state = random.pick(states) ?? "ready";
      const held = state === "ready" || state === "draining" ? random.below(3) : 0;
      const definitionId = random.once(3) ? "de-0" : "de-1";
      return container({ id: `ta-${index}`, definitionId, state, held, idleSince: now - random.below(120_000) });
    });
    const changes = {
      policy: policy({
        minContainers: random.below(4),
        maxContainers: random.below(8),
        bufferContainers: random.once(2) ? random.below(4) : 0,
        targetConcurrency: 1 + random.below(3),
        scaledownMs: 1 + random.below(90_000),
      }),
      queued: random.below(20),
      claimed: containers.reduce((sum, { held }) => sum + held, 0),
      notBefore: random.once(4) ? now + random.below(5_000) : 0,
    };
    return { demand: demand(changes), containers };
  });
}

describe("autoscale, whatever a deployment has replaced,", () => {
  const cases = randomCases();

  it("replaces what is old alone, and never leaves fewer than needed, but for one to make way", () => {
    let replacements = 0;
    for (const { demand, containers } of cases) {
      const { replaced } = autoscale(demand, containers, now);
      replacements += replaced.length;
      assert.ok(replaced.every((each) => each.state === "ready" && each.definitionId === "de-0"));
      const ready = containers.filter(({ state }) => state === "ready");
      const isNew = ({ definitionId }: Container): boolean => definitionId === demand.definitionId;
      if (replaced.length > 1) assert.ok(ready.some(isNew), "something else takes inputs");
      const { targetConcurrency, maxContainers } = demand.policy;
      const needed = Math.min(maxContainers, Math.ceil((demand.queued + demand.claimed) / targetConcurrency));
      const isFull = containers.length >= maxContainers;
      const least = Math.min(needed, ready.length) - (isFull ? 1 : 0);
      assert.ok(replaced.length === 0 || ready.length - replaced.length >= least);
    }
    assert.ok(replacements > 300, String(replacements));
  });

  it("leaves no old one behind in the end", () => {
    for (const { demand, containers } of cases) {
      if (demand.policy.maxContainers === 0) continue;
      let all = containers.map((each) => ({ ...each, idleSince: now }));
      for (let pass = 0; pass < 50; pass++) {
        const { start, replaced, drain } = autoscale({ ...demand, notBefore: 0 }, all, now);
        const leaving = new Set<Container>([...replaced, ...drain]);
        all = all
          .filter((each) => !leaving.has(each) && each.state !== "draining")
          .map((each) => ({ ...each, state: "ready" as const }));
        for (let i = 0; i < start; i++) all.push(container({ id: `ta-new-${pass}-${i}`, idleSince: now }));
      }
      assert.ok(all.every(({ definitionId }) => definitionId === demand.definitionId));
    }
  });
});

describe("autoscale, whatever comes,", () => {
  const cases = randomCases();
  const active = (containers: readonly Container[]): number =>
    containers.filter(({ state }) => takesInputs(state)).length;

  it("never has more containers than the limit allows", () => {
    for (const { demand, containers } of cases) {
      const { start } = autoscale(demand, containers, now);
      assert.ok(start === 0 || containers.length + start <= demand.policy.maxContainers);
    }
  });

  it("never starts one while another can be spared, and spares only idle ones beyond what is kept", () => {
    for (const { demand, containers } of cases) {
      const { start, drain, spare } = autoscale(demand, containers, now);
      const isRolling = containers.some((each) => isReplaced(demand, each));
      assert.ok(start === 0 || spare.length === 0 || isRolling);
      assert.ok(drain.every((each) => spare.includes(each)));
      assert.ok(spare.every(({ state, held }) => state === "ready" && held === 0));
      const { minContainers, maxContainers, bufferContainers, targetConcurrency } = demand.policy;
      const buffer = demand.queued + demand.claimed > 0 ? bufferContainers : 0;
      const draining = containers.filter(({ state }) => state === "draining").reduce((sum, { held }) => sum + held, 0);
      const needed = Math.ceil((demand.queued + demand.claimed - draining) / targetConcurrency);
      const least = Math.min(maxContainers, Math.max(minContainers, needed === 0 ? 0 : needed + buffer));
      if (spare.length > 0) assert.ok(active(containers) - spare.length >= least);
    }
  });

  it("ends only what is ready, idle and due, and never falls below the least number", () => {
    for (const { demand, containers } of cases) {
      const { drain } = autoscale(demand, containers, now);
      for (const { state, held, idleSince } of drain) {
        assert.equal(state, "ready");
        assert.equal(held, 0);
        assert.ok(idleSince + demand.policy.scaledownMs <= now);
      }
      const least = Math.min(demand.policy.minContainers, demand.policy.maxContainers);
      assert.ok(drain.length === 0 || active(containers) - drain.length >= least);
      assert.equal(new Set(drain).size, drain.length);
    }
  });

  it("never starts and ends at once", () => {
    for (const { demand, containers } of cases) {
      const { start, drain } = autoscale(demand, containers, now);
      assert.ok(start === 0 || drain.every((each) => isReplaced(demand, each)));
    }
  });

  it("asks to be called again only in the future, and comes to rest when it is obeyed", () => {
    for (const { demand, containers } of cases) {
      let all = containers;
      let made = autoscale(demand, all, now);
      // What takes the place of old ones may be needless once those are told to end: it is looked at then.
      for (let pass = 0; pass < 3; pass++) {
        assert.ok(made.lookAgainAt === undefined || made.lookAgainAt > now);
        const leaving = new Set([...made.drain, ...made.replaced]);
        const kept = all.map((each) => (leaving.has(each) ? { ...each, state: "draining" as const } : each));
        const started = Array.from({ length: made.start }, (_, i) =>
          container({ id: `ta-new-${pass}-${i}`, state: "assigned" }),
        );
        all = [...kept, ...started];
        made = autoscale(demand, all, now);
        if (!containers.some((each) => isReplaced(demand, each))) break;
      }
      assert.deepEqual([made.start, made.drain, made.replaced], [0, [], []]);
    }
  });

  it("always has a container for waiting inputs, unless it may not or one is still there", () => {
    for (const { demand, containers } of cases) {
      const { start, lookAgainAt } = autoscale(demand, containers, now);
      if (demand.queued === 0 || active(containers) > 0) continue;
      if (containers.length >= demand.policy.maxContainers) continue;
      assert.ok(start > 0 || (demand.notBefore > now && lookAgainAt !== undefined && lookAgainAt <= demand.notBefore));
    }
  });
});
