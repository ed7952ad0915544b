/** Which layers make a state of a volume, and when they are folded. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { chainTo, foldFrom, newestOf, type Step } from "../../src/volumes/chain.ts";

const step = (from: number, to: number, entries = 10): Step => ({ from, to, entries });

describe("the chain to a state", () => {
  it("begins at nothing and takes the longest steps", () => {
    const steps = [step(0, 3), step(3, 5), step(5, 6), step(3, 6)];
    assert.deepEqual(chainTo(steps, 6), [step(0, 3), step(3, 6)]);
    assert.deepEqual(chainTo(steps, 5), [step(0, 3), step(3, 5)]);
    assert.deepEqual(chainTo([step(0, 0)], 0), [step(0, 0)]);
  });

  it("is empty where a step is missing", () => {
    assert.deepEqual(chainTo([step(3, 6)], 6), []);
    assert.deepEqual(chainTo([], 0), []);
    assert.equal(newestOf([step(0, 3), step(5, 6)]), 3);
    assert.equal(newestOf([]), undefined);
  });
});

describe("folding", () => {
  it("takes in what is not much larger, and leaves a big layer at the bottom alone", () => {
    assert.equal(foldFrom([step(0, 1, 1000)]), undefined);
    assert.equal(foldFrom([step(0, 1, 1000), step(1, 2, 10)]), undefined);
    assert.equal(foldFrom([step(0, 1, 1000), step(1, 2, 10), step(2, 3, 10)]), 1);
    assert.equal(foldFrom([step(0, 1, 1000), step(1, 2, 200), step(2, 3, 60)]), 0);
  });

  it("keeps the chain short whatever its layers are like, and empty layers go", () => {
    const chain = Array.from({ length: 12 }, (_, i) => step(i, i + 1, 5 ** (12 - i)));
    const from = foldFrom(chain);
    assert.ok(from !== undefined && from <= 8, String(from));
    assert.equal(foldFrom([step(0, 0, 0), step(0, 1, 0)]), 0);
  });
});
