/** What a commit that nobody asks for leaves for another time. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import type { WrittenPath } from "../../src/volumes/difference.ts";
import { isBusy, isLeft } from "../../src/volumes/unasked.ts";

const nowMs = 1_000_000;
const mebibyte = 1024 * 1024;

function path(agoMs: number, size = 1, kind: WrittenPath["kind"] = "file"): WrittenPath {
  const common = { kind, size, file: "/u/a", mode: 0o644, target: "", signature: "", isFixed: false, isRoots: true };
  return { ...common, mtime: (nowMs - agoMs) * 1000 };
}

const isBusyWith = (...paths: WrittenPath[]): boolean =>
  isBusy({ written: new Map(paths.map((each, i) => [`${i}`, each])), removed: [] }, nowMs);

describe("a commit that nobody asks for", () => {
  it("waits while a file is written to, and not for folders or files that came with an old time", () => {
    assert.equal(isBusyWith(path(5000), path(100)), true);
    assert.equal(isBusyWith(path(5000), path(100, 0, "folder")), false);
    assert.equal(isBusyWith(path(1500)), false);
    assert.equal(isBusyWith(), false);
  });

  it("leaves a large file that was written to lately, for to send it takes long", () => {
    assert.equal(isLeft(path(100, 16 * mebibyte), nowMs), true);
    assert.equal(isLeft(path(9000, 16 * mebibyte), nowMs), true);
    assert.equal(isLeft(path(11_000, 16 * mebibyte), nowMs), false);
    assert.equal(isLeft(path(100, 16 * mebibyte - 1), nowMs), false);
  });
});
