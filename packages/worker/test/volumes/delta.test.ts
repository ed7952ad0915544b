/** What of an upper's changes is not published yet. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { deltaOf, publishedBy } from "../../src/volumes/delta.ts";
import type { Difference, WrittenPath } from "../../src/volumes/difference.ts";

const file = (signature: string): WrittenPath => ({
  kind: "file",
  file: "/f",
  mode: 0o644,
  mtime: 1,
  size: 1,
  target: "",
  signature,
  isFixed: false,
  isRoots: true,
});

const difference = (written: Record<string, string>, removed: string[] = []): Difference => ({
  written: new Map(Object.entries(written).map(([path, signature]) => [path, file(signature)])),
  removed,
});

const delta = (now: Difference, before: Difference) => {
  const { written, removed, restored } = deltaOf(now, publishedBy(before));
  return { written: [...written.keys()], removed, restored };
};

describe("the delta", () => {
  it("of a first difference is all of it", () => {
    const all = { written: ["a", "b"], removed: ["c"], restored: [] };
    assert.deepEqual(delta(difference({ a: "1", b: "2" }, ["c"]), difference({})), all);
  });

  it("is empty when nothing has changed since", () => {
    const same = difference({ a: "1" }, ["c"]);
    assert.deepEqual(delta(same, same), { written: [], removed: [], restored: [] });
  });

  it("has what was written again, what is gone since, and what is as it was before", () => {
    const before = difference({ same: "1", again: "2", undone: "3", taken: "4" }, ["back", "still"]);
    const now = difference({ same: "1", again: "5", back: "6" }, ["still", "taken"]);
    assert.deepEqual(delta(now, before), { written: ["again", "back"], removed: ["taken"], restored: ["undone"] });
  });
});
