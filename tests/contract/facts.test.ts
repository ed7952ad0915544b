// The comparison itself: each kind of difference between our descriptors and a client's is found.

import assert from "node:assert/strict";
import { test } from "node:test";
import { clearField, clone, create } from "@bufbuild/protobuf";
import {
  type DescriptorProto,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
  FieldDescriptorProtoSchema,
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
} from "@bufbuild/protobuf/wkt";
import { contradiction, FactIndex, factsOf } from "./facts.ts";

const base = create(FileDescriptorProtoSchema, {
  name: "wire.proto",
  package: "wire",
  messageType: [
    {
      name: "Call",
      field: [
        { name: "id", number: 1, type: Type.STRING, label: Label.OPTIONAL },
        { name: "data", number: 2, type: Type.BYTES, label: Label.OPTIONAL, oneofIndex: 0 },
        { name: "parent", number: 3, type: Type.MESSAGE, typeName: ".wire.Call", label: Label.OPTIONAL },
      ],
      oneofDecl: [{ name: "payload" }],
    },
  ],
  enumType: [
    {
      name: "Kind",
      value: [
        { name: "NONE", number: 0 },
        { name: "ONE", number: 1 },
      ],
    },
  ],
  service: [{ name: "Calls", method: [{ name: "Get", inputType: ".wire.Call", outputType: ".wire.Call" }] }],
});

function field(file: FileDescriptorProto, index: number): DescriptorProto["field"][number] {
  const found = file.messageType[0]?.field[index];
  assert.ok(found);
  return found;
}

function compare(change: (ours: FileDescriptorProto) => void): string[] {
  const ours = clone(FileDescriptorProtoSchema, base);
  change(ours);
  const client = new FactIndex([base]);
  return [...factsOf(ours)].map((fact) => contradiction(fact, client)).filter((found) => found !== undefined);
}

const changes: Record<string, [change: (ours: FileDescriptorProto) => void, message: RegExp]> = {
  number: [(ours) => (field(ours, 0).number = 9), /Call\.id: ours is ".* = 9", the client's ".* = 1"/],
  "reused number": [(ours) => (field(ours, 0).name = "name"), /Call\.name: its number 1 is id in the client/],
  type: [(ours) => (field(ours, 0).type = Type.BYTES), /Call\.id: ours is "optional bytes/],
  label: [(ours) => (field(ours, 0).label = Label.REPEATED), /Call\.id: ours is "repeated/],
  presence: [
    (ours) => clearField(field(ours, 1), FieldDescriptorProtoSchema.field.oneofIndex),
    /the client's ".*in oneof payload/,
  ],
  oneof: [(ours) => (ours.messageType[0]!.oneofDecl[0]!.name = "other"), /Call\.data: .*in oneof other/],
  "type name": [(ours) => (field(ours, 2).typeName = ".wire.Other"), /Call\.parent: .*wire\.Other/],
  "enum value": [(ours) => (ours.enumType[0]!.value[1]!.number = 2), /Kind\.ONE: ours is "value = 2"/],
  "reused enum number": [(ours) => (ours.enumType[0]!.value[1]!.name = "UNO"), /Kind\.UNO: its number 1 is ONE/],
  "request type": [(ours) => (ours.service[0]!.method[0]!.inputType = ".wire.Kind"), /Calls\.Get: .*\(wire\.Kind\)/],
  stream: [(ours) => (ours.service[0]!.method[0]!.serverStreaming = true), /Calls\.Get: .*\(stream wire\.Call\)/],
};

for (const [name, [change, message]] of Object.entries(changes)) {
  test(`a differing ${name} is found`, () => {
    const found = compare(change);
    assert.equal(found.length, 1, found.join("\n"));
    assert.match(found[0] ?? "", message);
  });
}

test("an equal description is accepted, and so is a part of it", () => {
  assert.deepEqual(
    compare(() => undefined),
    [],
  );
  assert.deepEqual(
    compare((ours) => ours.messageType[0]?.field.pop()),
    [],
  );
});

test("a name that the client does not know is not contradicted", () => {
  assert.deepEqual(
    compare((ours) => Object.assign(field(ours, 0), { name: "newer", number: 50 })),
    [],
  );
});
