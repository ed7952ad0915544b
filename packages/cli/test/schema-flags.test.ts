/** Flags of an entrypoint that has a schema, which tells what it takes or does not. */
import assert from "node:assert/strict";
import { it } from "node:test";

import type { StandardSchema } from "lydian";

import { UsageError } from "../src/command.ts";
import { checkedFlags, parseSchemaFlags, schemaFlagLines } from "../src/schema-flags.ts";

const validate: StandardSchema["~standard"]["validate"] = (value) =>
  typeof (value as { maxItems?: unknown }).maxItems === "number"
    ? { value }
    : { issues: [{ message: "received NaN", path: [{ key: "maxItems" }] }] };
const silent: StandardSchema = { "~standard": { version: 1, vendor: "test", validate } };
const properties = {
  name: { type: "string", default: "Ada" },
  maxItems: { type: "number" },
  loud: { type: "boolean" },
};
const jsonSchema = { input: () => ({ properties, required: ["maxItems"] }) };
const telling = { "~standard": { ...silent["~standard"], jsonSchema } };

it("reads what looks like a value as one, where the schema tells nothing", () => {
  const args = ["--name", "Ada", "--max-items=3", "--no-loud", "--quick", "--tags", '["a"]'];
  const found = { name: "Ada", maxItems: 3, loud: false, quick: true, tags: ["a"] };
  assert.deepEqual(parseSchemaFlags(silent, args), found);
  assert.throws(() => parseSchemaFlags(silent, ["Ada"]), /Ada is no flag/);
});

it("goes by what the schema tells: texts stay texts, and there are no other flags", () => {
  const found = parseSchemaFlags(telling, ["--name", "5", "--loud", "--maxItems", "5"]);
  assert.deepEqual(found, { name: "5", loud: true, maxItems: 5 });
  assert.throws(() => parseSchemaFlags(telling, ["--nam", "x"]), { message: "--nam is no flag of this program" });
  assert.deepEqual(schemaFlagLines(telling), [
    '  --name <string>       default: "Ada"',
    "  --max-items <number>  required",
    "  --[no-]loud",
  ]);
});

it("says what the schema refuses of the flags, by their names", async () => {
  const refuses = (values: object, message: string): Promise<void> =>
    assert.rejects(
      checkedFlags(telling, { ...values }),
      (error) => error instanceof UsageError && error.message === message,
    );
  await refuses({}, "--max-items must be given");
  await refuses({ maxItems: "x" }, "--max-items: received NaN");
});
