/** A program's own command line. */
import assert from "node:assert/strict";
import { it } from "node:test";

import { flagLines, parseArguments, parseFlags } from "../src/flags.ts";

const fields = { name: "World", maxItems: 3, loud: false, lang: String, tags: [String] } as const;

it("reads flags by their fields", () => {
  assert.deepEqual(parseFlags(fields, ["--lang", "de"]), {
    name: "World",
    maxItems: 3,
    loud: false,
    lang: "de",
    tags: [],
  });
  const all = ["--name=Ada", "--max-items", "5", "--loud", "--lang=en", "--tags", "a", "--tags", "b"];
  assert.deepEqual(parseFlags(fields, all), { name: "Ada", maxItems: 5, loud: true, lang: "en", tags: ["a", "b"] });
  assert.equal(parseFlags({ loud: true }, ["--no-loud"])["loud"], false);
  assert.equal(parseFlags(fields, ["--lang=de", "--maxItems", "5"])["maxItems"], 5);
});

it("refuses what no field has", () => {
  assert.throws(() => parseFlags(fields, []), /--lang must be given/);
  assert.throws(() => parseFlags(fields, ["--nam", "x"]), /--nam is no flag of this program/);
  assert.throws(() => parseFlags(fields, ["Ada"]), /Ada is no flag/);
  assert.throws(() => parseFlags(fields, ["--lang"]), /--lang has no value/);
  assert.throws(() => parseFlags(fields, ["--max-items", "many"]), /--max-items is "many", and has to be a number/);
});

it("lists them for the help", () => {
  assert.deepEqual(flagLines({ name: "World", loud: false }), [
    '  --name <string>  default: "World"',
    "  --[no-]loud      default: false",
  ]);
});

it("reads arguments as JSON, else as text", () => {
  assert.deepEqual(parseArguments(["1", '{"a":[2]}', "Ada", "true"]), [1, { a: [2] }, "Ada", true]);
});
