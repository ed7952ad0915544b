import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { ManualClock, turns } from "@lydian/testkit";

import { Bells, systemClock } from "../src/index.ts";

const forever = { clock: systemClock, waitMs: 60_000 };
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A shelf of items that waiters take one by one, as containers take inputs. */
function shelf(bells: Bells): { put: () => void; take: (signal?: AbortSignal) => Promise<number | undefined> } {
  const items: number[] = [];
  let next = 0;
  return {
    put: () => {
      items.push(next++);
      bells.ring("shelf", 1);
    },
    take: (signal) =>
      bells.until(
        ["shelf"],
        async () => {
          await turn(); // as a read of the store does
          return items.shift();
        },
        signal === undefined ? forever : { ...forever, signal },
      ),
  };
}

describe("bells", () => {
  it("answers at once when the check finds something", async () => {
    assert.equal(await new Bells().until(["a"], async () => 7, { clock: systemClock, waitMs: 0 }), 7);
  });

  it("answers undefined when the time is up, after a last look", async () => {
    let looks = 0;
    const clock = new ManualClock();
    const found = new Bells().until(["a"], async () => void looks++, { clock, waitMs: 5 });
    await turns();
    await clock.advance(5);
    assert.equal(await found, undefined);
    assert.equal(looks, 2);
  });

  it("loses no ring that comes while the check runs", async () => {
    const bells = new Bells();
    let ready = false;
    const found = bells.until(
      ["a"],
      async () => {
        if (ready) return "found";
        await turn();
        return undefined;
      },
      forever,
    );
    ready = true;
    bells.ring("a");
    assert.equal(await found, "found");
  });

  it("wakes as many as there are items, also when rings come close together", async () => {
    const bells = new Bells();
    const { put, take } = shelf(bells);
    const takers = [take(), take(), take()];
    await turn();
    await turn();
    put();
    put();
    put();
    assert.deepEqual(
      (await Promise.all(takers)).toSorted((a = 0, b = 0) => a - b),
      [0, 1, 2],
    );
  });

  it("forgets those who left", async () => {
    const bells = new Bells();
    const giveUp = new AbortController();
    const waiting = bells.until(["a", "b"], async () => undefined, { ...forever, signal: giveUp.signal });
    await turn();
    assert.equal(bells.waiting("a"), 1);
    giveUp.abort(new Error("enough"));
    await assert.rejects(waiting, /enough/);
    assert.equal(bells.waiting("a"), 0);
    assert.equal(bells.waiting("b"), 0);
  });
});

describe("a ring that its waiter cannot use", () => {
  it("goes to the next when that one gives up", async () => {
    const bells = new Bells();
    const { put, take } = shelf(bells);
    const giveUp = new AbortController();
    const gone = take(giveUp.signal);
    await turn();
    await turn();
    const patient = take();
    await turn();
    await turn();
    put();
    giveUp.abort(new Error("gone"));
    await assert.rejects(gone, /gone/);
    assert.equal(await patient, 0);
  });

  it("goes to the next when the look fails that it woke that one for", async () => {
    const bells = new Bells();
    const { put, take } = shelf(bells);
    let looks = 0;
    const failing = bells.until(
      ["shelf"],
      async () => {
        if (++looks === 2) throw new Error("it cannot look");
        return undefined;
      },
      forever,
    );
    await turn();
    const patient = take();
    await turn();
    await turn();
    put();
    await assert.rejects(failing, /cannot look/);
    assert.equal(await patient, 0);
  });
});
