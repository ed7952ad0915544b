/** The states of an image: what every event makes of every state, as one table; then what holds in all of its cells. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import {
  type Image,
  type ImageEvent,
  type ImageState,
  mostLosses,
  type Outcome,
  step,
} from "../../src/domain/image.ts";
import { image } from "../support/rows.ts";

const now = 1_000_000;
const failure = { status: "failure", message: "A step failed." } as const;

const building: Image = image({ state: "building", workerId: "local", fence: "fence", built: undefined, since: 5 });

/** Every state, with what makes a difference within it. */
const states: Readonly<Record<string, Image>> = {
  idle: image({ state: "idle", built: undefined }),
  wanted: image({ state: "wanted", losses: 1, built: undefined }),
  building,
  "building, twice lost": { ...building, losses: mostLosses - 1 },
  built: image({ state: "built" }),
  failed: image({ state: "failed", failure, losses: mostLosses, built: undefined }),
};

const built: Outcome = { kind: "built", built: { python: "3.12.4", libc: "glibc 2.36", workdir: "/" } };
const lost: Outcome = { kind: "lost", reason: "its worker was not heard of any more" };
const failed: Outcome = { kind: "failed", failure };

/** Every event, with what makes a difference within it. */
const events: Readonly<Record<string, ImageEvent>> = {
  want: { kind: "want", logFrom: "1-7" },
  miss: { kind: "miss", logFrom: "1-7" },
  unwant: { kind: "unwant" },
  assign: { kind: "assign", workerId: "other", fence: "new" },
  made: { kind: "end", fence: "fence", outcome: built },
  lost: { kind: "end", fence: "fence", outcome: lost },
  failed: { kind: "end", fence: "fence", outcome: failed },
  "made, of an earlier assignment": { kind: "end", fence: "earlier", outcome: built },
  expire: { kind: "expire", failure: { status: "timeout", message: "It took too long." } },
};

/** What is not here changes nothing. */
const table: Readonly<Record<string, Readonly<Record<string, ImageState>>>> = {
  idle: { want: "wanted" },
  wanted: { unwant: "idle", assign: "building" },
  building: { unwant: "idle", made: "built", lost: "wanted", failed: "failed", expire: "failed" },
  "building, twice lost": { unwant: "idle", made: "built", lost: "failed", failed: "failed", expire: "failed" },
  built: { miss: "wanted" },
  failed: { want: "wanted" },
};

const cells = Object.entries(states).flatMap(([state, before]) =>
  Object.entries(events).map(([name, event]) => ({ state, name, before, event, after: step(before, event, now) })),
);

describe("an image", () => {
  for (const { state, name, after } of cells) {
    const expected = table[state]?.[name];
    it(`that is ${state} ${expected === undefined ? "is left as it is by" : `becomes ${expected} by`} "${name}"`, () => {
      assert.equal(after?.state, expected);
    });
  }

  it("has a worker and a fence while it is being built, and never else", () => {
    for (const { after } of cells) {
      if (after === undefined) continue;
      const isBuilding = after.state === "building";
      assert.deepEqual([after.workerId !== "", after.fence !== ""], [isBuilding, isBuilding]);
    }
  });

  it("says why exactly when it failed, and since when it is what it is", () => {
    for (const { after } of cells) {
      if (after === undefined) continue;
      assert.equal(after.failure !== undefined, after.state === "failed");
      assert.equal(after.since, now);
    }
  });

  it("that is wanted anew has its log told from here on, and all its tries before it", () => {
    for (const from of ["idle", "failed"]) {
      const after = step(states[from] ?? building, { kind: "want", logFrom: "1-7" }, now);
      assert.deepEqual([after?.logFrom, after?.losses], ["1-7", 0]);
    }
  });

  it("that was lost goes on with its log, and gives up with the last reason", () => {
    const once = step(building, { kind: "end", fence: "fence", outcome: lost }, now);
    assert.deepEqual([once?.logFrom, once?.losses], [building.logFrom, 1]);
    const last = step({ ...building, losses: mostLosses - 1 }, { kind: "end", fence: "fence", outcome: lost }, now);
    assert.match(last?.failure?.message ?? "", /after 3 builds were lost; .*not heard of any more/);
  });

  it("that was built runs no step by force any more, and keeps what it is like when it has to be made again", () => {
    const forced = { ...building, force: true };
    const after = step(forced, { kind: "end", fence: "fence", outcome: built }, now);
    assert.deepEqual([after?.force, after?.built], [false, built.kind === "built" && built.built]);
    assert.deepEqual(after && step(after, { kind: "miss", logFrom: "" }, now)?.built, after?.built);
    assert.equal(step(forced, { kind: "end", fence: "fence", outcome: lost }, now)?.force, true);
  });
});
