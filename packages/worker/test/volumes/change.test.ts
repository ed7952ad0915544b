/** Two changes of a volume as one. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { type Change, composed } from "../../src/volumes/change.ts";
import type { WrittenPath } from "../../src/volumes/difference.ts";

const file = (signature: string): WrittenPath => ({
  ...{ kind: "file", file: "/f", mode: 0o644, mtime: 1, size: 1, target: "", signature },
  ...{ isFixed: false, isRoots: true },
});

const change = (written: Record<string, string>, removed: string[] = []): Change => ({
  removed,
  written: new Map(Object.entries(written).map(([path, signature]) => [path, file(signature)])),
});

const both = (first: Change, second: Change, before: Record<string, string> = {}) => {
  const { written, removed } = composed(first, second, (path) => before[path]);
  return { written: [...written].map(([path, { signature }]) => `${path}=${signature}`), removed };
};

describe("one change of two", () => {
  it("writes what the later one has written", () => {
    const all = { written: ["a=2", "b=1", "c=2"], removed: [] };
    assert.deepEqual(both(change({ a: "1", b: "1" }), change({ a: "2", c: "2" })), all);
  });

  it("takes nothing away that was not there before the first", () => {
    assert.deepEqual(both(change({ a: "1" }), change({}, ["a"])), { written: [], removed: [] });
  });

  it("takes away what was there before as what it was then", () => {
    assert.deepEqual(both(change({ a: "1" }), change({}, ["a"]), { a: "a/" }), { written: [], removed: ["a/"] });
    assert.deepEqual(both(change({}), change({}, ["b"])), { written: [], removed: ["b"] });
  });

  it("has a path that is too long until a folder above it is taken away", () => {
    const first = { ...change({ a: "1" }), tooLong: "d/e/long" };
    const before = (): undefined => undefined;
    assert.equal(composed(first, change({}, ["d/x"]), before).tooLong, "d/e/long");
    assert.equal(composed(first, change({}, ["d/e/"]), before).tooLong, undefined);
    assert.equal(composed(first, { ...change({}, ["d/e/"]), tooLong: "f" }, before).tooLong, "f");
  });

  it("takes inner paths away before outer ones", () => {
    assert.deepEqual(both(change({}, ["d/"]), change({}, ["d/e"])).removed, ["d/e", "d/"]);
  });
});
