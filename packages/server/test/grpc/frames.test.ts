/** Messages are found again however the bytes were cut; what this server cannot take is refused before it is kept. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { isFail } from "../../src/errors.ts";
import { frame, FrameReader } from "../../src/grpc/frames.ts";
import { timeoutOf } from "../../src/grpc/headers.ts";

const texts = ["", "a", "hello", "x".repeat(300)];
const wire = Buffer.concat(texts.map((text) => frame(Buffer.from(text))));

test("messages are whole again after any cut", () => {
  for (let size = 1; size <= wire.byteLength; size++) {
    const reader = new FrameReader(1000);
    const found: string[] = [];
    for (let at = 0; at < wire.byteLength; at += size) {
      found.push(...reader.push(wire.subarray(at, at + size)).map(String));
    }
    assert.deepEqual(found, texts, `in pieces of ${size}`);
    assert.ok(reader.isBetweenMessages);
  }
});

test("half a message is noticed", () => {
  const reader = new FrameReader(1000);
  reader.push(wire.subarray(0, wire.byteLength - 1));
  assert.ok(!reader.isBetweenMessages);
});

test("one that is too large or compressed is refused by its head", () => {
  const push = (head: number[]) => () => new FrameReader(99).push(Buffer.of(...head));
  assert.throws(push([0, 0, 0, 0, 100]), (error) => isFail(error, "tooLarge"));
  assert.throws(push([1, 0, 0, 0, 1]), (error) => isFail(error, "unimplemented"));
  assert.doesNotThrow(push([0, 0, 0, 0, 99]));
});

test("deadlines in every unit; what cannot be read is none", () => {
  const ms = (text: string) => timeoutOf({ "grpc-timeout": text });
  assert.deepEqual(["2H", "3M", "4S", "5m"].map(ms), [7_200_000, 180_000, 4000, 5]);
  assert.ok(Math.abs(ms("6u") - 0.006) < 1e-9 && Math.abs(ms("7n") - 7e-6) < 1e-12);
  assert.deepEqual(["", "5", "x", "999999999S", "-1S"].map(ms), Array(5).fill(Number.POSITIVE_INFINITY));
  assert.equal(timeoutOf({}), Number.POSITIVE_INFINITY);
});
