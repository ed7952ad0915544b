// Fields that we do not name survive: a container reads its own, older or newer, version of a function.

import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type DescMessage, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { ContainerArgumentsSchema, FunctionCreateRequestSchema, FunctionDataSchema } from "../src/index.ts";

const unnamed = 1999; // a field number that no message of ours has
const dropped = 54; // Function.use_function_id: sent by older clients, reserved here
const resources = 9; // Function.resources

function message(...fields: readonly (readonly [number: number, value: string | Uint8Array])[]): Uint8Array {
  const writer = new BinaryWriter();
  for (const [number, value] of fields) {
    writer.tag(number, WireType.LengthDelimited);
    if (typeof value === "string") writer.string(value);
    else writer.bytes(value);
  }
  return writer.finish();
}

/** The first length-delimited field with this number. */
function field(bytes: Uint8Array, wanted: number): Uint8Array {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    if (number === wanted) return reader.bytes();
    reader.skip(type);
  }
  throw new Error(`no field ${wanted}`);
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

function roundTrip<Desc extends DescMessage>(schema: Desc, bytes: Uint8Array): [MessageShape<Desc>, Uint8Array] {
  const decoded = fromBinary(schema, bytes);
  return [decoded, toBinary(schema, decoded)];
}

const functionBytes = message(
  [1, "hello"],
  [dropped, "fu-old"],
  [resources, message([unnamed, "inner"])],
  [unnamed, "outer"],
);

function assertKept(encoded: Uint8Array): void {
  assert.equal(text(field(encoded, 1)), "hello");
  assert.equal(text(field(encoded, dropped)), "fu-old");
  assert.equal(text(field(encoded, unnamed)), "outer");
  assert.equal(text(field(field(encoded, resources), unnamed)), "inner");
}

test("a created function keeps its unknown fields, its own and those inside it", () => {
  const [request, encoded] = roundTrip(FunctionCreateRequestSchema, message([1, functionBytes], [unnamed, "request"]));
  assert.equal(request.function?.moduleName, "hello");
  assert.equal(text(field(encoded, unnamed)), "request");
  assertKept(field(encoded, 1));
});

test("so does a ranked function inside function data", () => {
  const [data, encoded] = roundTrip(FunctionDataSchema, message([18, message([2, functionBytes])]));
  assert.equal(data.rankedFunctions[0]?.function?.moduleName, "hello");
  assertKept(field(field(encoded, 18), 2));
});

test("so does a function that moves from a request into a container's arguments", () => {
  const definition = fromBinary(FunctionCreateRequestSchema, message([1, functionBytes])).function;
  assert.ok(definition);
  const spread = create(ContainerArgumentsSchema, { taskId: "ta-1", functionDef: { ...definition, appName: "app" } });
  assertKept(field(toBinary(ContainerArgumentsSchema, spread), 7));
});

test("an enum value that we do not name survives", () => {
  const bytes = new BinaryWriter().tag(3, WireType.Varint).int32(77).finish(); // FunctionData.function_type
  const [data, encoded] = roundTrip(FunctionDataSchema, bytes);
  assert.equal(data.functionType, 77);
  assert.deepEqual(encoded, bytes);
});
