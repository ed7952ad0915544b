/**
 * What a worker and a server of the first release say to each other means the same to those of today: after an upgrade one of
 * them may be older than the other, and what stands in databases and leases was written by either.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { type DescEnum, type DescField, type DescFile, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { exec, worker } from "../src/index.ts";

/** Message, field, number and type, or enum, name and number; a line each. Lines are added at a release, and none is ever changed or taken away. */
const released = readFileSync(new URL("released-fields.txt", import.meta.url), "utf8")
  .trim()
  .split("\n");

/** The type as it is written in a .proto file. */
function typeOf(field: DescField): string {
  const scalar = (type: ScalarType): string => ScalarType[type].toLowerCase();
  const single = field.message?.typeName ?? field.enum?.typeName ?? (field.scalar && scalar(field.scalar)) ?? "";
  if (field.fieldKind === "map") return `map<${scalar(field.mapKey)}, ${single}>`;
  return field.fieldKind === "list" ? `repeated ${single}` : single;
}

const linesOfEnum = ({ typeName, values }: DescEnum): string[] =>
  values.map(({ name, number }) => `${typeName} ${name} ${number}`);

const linesOf = (message: DescMessage): string[] => [
  ...message.fields.map((field) => `${message.typeName} ${field.name} ${field.number} ${typeOf(field)}`),
  ...message.nestedEnums.flatMap(linesOfEnum),
  ...message.nestedMessages.flatMap(linesOf),
];

function isFile(value: unknown): value is DescFile {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "file";
}

const files = [worker, exec].flatMap((exports) => Object.values<unknown>(exports).filter(isFile));
const today = files.flatMap((file) => [...file.messages.flatMap(linesOf), ...file.enums.flatMap(linesOfEnum)]);

test("every field of a release has its name, its number and its type still", () => {
  const known = new Set(today);
  const changed = released.filter((line) => !known.has(line));
  assert.deepEqual(changed, [], "give what is new a number of its own, and keep these");
});
