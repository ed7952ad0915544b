// Decoded bytes are views of what was received; copyBytes makes them the keeper's own.

import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { copyBytes, FunctionInputSchema } from "../src/index.ts";

const sent = toBinary(
  FunctionInputSchema,
  create(FunctionInputSchema, { argsOneof: { case: "args", value: Uint8Array.of(1, 2, 3) } }),
);

function argsOf(received: Uint8Array): Uint8Array {
  const { argsOneof } = fromBinary(FunctionInputSchema, received);
  assert.equal(argsOneof.case, "args");
  return argsOneof.value;
}

for (const [kind, receive] of [
  ["Uint8Array", (): Uint8Array => Uint8Array.from(sent)],
  ["Buffer", (): Uint8Array => Buffer.from(sent)],
] as const) {
  test(`decoded bytes share a received ${kind}, a copy does not`, () => {
    const received = receive();
    const args = argsOf(received);
    const kept = copyBytes(args);
    received.fill(0xff);
    assert.deepEqual([...args], [0xff, 0xff, 0xff]);
    assert.deepEqual([...kept], [1, 2, 3]);
    assert.equal(kept.buffer.byteLength, 3);
  });
}
