/** Messages are found again however the bytes were cut; what is not taken is refused before it is kept. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { frame, type FrameFault, FrameReader } from "../src/frames.ts";

const texts = ["", "a", "hello", "x".repeat(300)];
const wire = Buffer.concat(texts.map((text) => frame(Buffer.from(text))));

const refuse = (fault: FrameFault): Error => new Error(JSON.stringify(fault));

test("messages are whole again after any cut", () => {
  for (let size = 1; size <= wire.byteLength; size++) {
    const reader = new FrameReader(1000, refuse);
    const found: string[] = [];
    for (let at = 0; at < wire.byteLength; at += size) {
      found.push(...reader.push(wire.subarray(at, at + size)).map(String));
    }
    assert.deepEqual(found, texts, `in pieces of ${size}`);
    assert.ok(reader.isBetweenMessages);
  }
});

test("half a message is noticed", () => {
  const reader = new FrameReader(1000, refuse);
  reader.push(wire.subarray(0, wire.byteLength - 1));
  assert.ok(!reader.isBetweenMessages);
});

test("one that is too large or compressed is refused by its head", () => {
  const push = (head: number[]) => () => new FrameReader(99, refuse).push(Buffer.of(...head));
  assert.throws(push([0, 0, 0, 0, 100]), /{"kind":"tooLarge","bytes":100}/);
  assert.throws(push([1, 0, 0, 0, 1]), /{"kind":"compressed"}/);
  assert.doesNotThrow(push([0, 0, 0, 0, 99]));
});
