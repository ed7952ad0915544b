import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { textOfName } from "@lydian/kit";

import { isFail } from "../../src/errors.ts";
import { filePath, volumePath } from "../../src/volumes/paths.ts";

const refused = (path: string, words: RegExp): void =>
  assert.throws(
    () => volumePath(path),
    (error) => isFail(error, "invalidArgument") && words.test(error.text),
  );

describe("a path in a volume", () => {
  it("is relative to the root, however it is said", () => {
    for (const said of ["a/b", "/a/b", "a//b/", "./a/./b", "a/x/../b"]) assert.equal(volumePath(said), "a/b");
    assert.equal(volumePath("/"), "");
    assert.throws(() => filePath("a/.."), /volume's root/);
    refused("a/../..", /leads out/);
    refused("a\0b", /NUL/);
  });

  it("has names as long as a file system's, counted in the bytes that they have there", () => {
    const odd = textOfName(Buffer.alloc(255, 0xff));
    for (const name of ["x".repeat(255), "é".repeat(127), odd]) assert.equal(volumePath(name), name);
    refused("x".repeat(256), /255 bytes/);
    refused("é".repeat(128), /255 bytes/);
    refused(`${odd}x`, /255 bytes/);
    refused("long/".repeat(701), /3500 bytes/);
  });

  it("has one text for each name", () => {
    const half = (byte: number): string => textOfName(Buffer.of(byte));
    assert.equal(volumePath(half(0xc3)), half(0xc3));
    refused(`a/${half(0xc3)}${half(0xa9)}`, /stand for bytes/);
  });
});
