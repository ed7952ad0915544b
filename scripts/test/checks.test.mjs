import assert from "node:assert/strict";
import { test } from "node:test";
import { checkGenerated } from "../check/generated.mjs";
import { checkNames } from "../check/names.mjs";
import { checkSizes } from "../check/sizes.mjs";
import { checkTiers } from "../check/tiers.mjs";
import { sampleTree } from "./sample-tree.mjs";

/** @param {number} count */
const lines = (count) => "\n".repeat(count);

test("sizes: a file over 500 lines fails in every language, blank lines counted", (t) => {
  const long = [
    "packages/kit/src/a.ts",
    "scripts/a.mjs",
    "examples/python/a.py",
    "a.sh",
    "packages/contract/proto/a.proto",
  ];
  const files = Object.fromEntries(long.map((path) => [path, lines(501)]));
  const findings = checkSizes(sampleTree(t, { ...files, "bin/tool": `#!/bin/sh\n${lines(500)}` }));
  assert.equal(findings.length, long.length + 1, findings.join("\n"));
  assert.match(findings.join("\n"), /^bin\/tool: 501 lines, over 500$/m);
});

test("sizes: 500 lines pass, and so do generated code, prose and licences", (t) => {
  const files = {
    "a.ts": lines(500),
    "packages/contract/src/gen/a.ts": lines(501),
    "a.md": lines(900),
    LICENSE: lines(900),
  };
  assert.deepEqual(checkSizes(sampleTree(t, files)), []);
});

test("sizes: a Python function over 80 lines fails, at its own line", (t) => {
  const body = (/** @type {number} */ count) => "    pass\n".repeat(count);
  const short = `def short(\n    a,\n):\n${body(77)}\n\n`;
  const files = { "a.py": `${short}class A:\n    async def long(self):\n${"        pass\n".repeat(80)}` };
  assert.deepEqual(checkSizes(sampleTree(t, files)), ["a.py:84: function long has 81 lines, over 80"]);
});

test("names: words without a role and other cases than kebab fail", (t) => {
  const bad = [
    "packages/kit/src/utils.ts",
    "common/a.ts",
    "volume-manager.ts",
    "string_utils.py",
    "types.d.ts",
    "runTests.ts",
  ];
  const good = [
    "volume-commit.ts",
    "runc-runtime.test.ts",
    ".oxlintrc.json",
    "README.md",
    "packages/kit/src/gen/A_pb.ts",
  ];
  const findings = checkNames(sampleTree(t, Object.fromEntries([...bad, ...good].map((path) => [path, ""]))));
  assert.deepEqual(
    findings.map((finding) => finding.split(":")[0]),
    bad.toSorted(),
  );
});

test("tiers: a test that no tier runs fails", (t) => {
  const run = [
    "packages/kit/test/a/b.test.ts",
    "tests/host/a.test.ts",
    "tests/clients/a/b.test.ts",
    "tests/soak/a.test.ts",
  ];
  const stray = ["packages/kit/src/a.test.ts", "tests/a.test.ts", "tests/host/a.test.mts", "tests/host/a.spec.ts"];
  const findings = checkTiers(sampleTree(t, Object.fromEntries([...run, ...stray].map((path) => [path, ""]))));
  assert.deepEqual(
    findings.map((finding) => finding.split(" ")[0]),
    stray.toSorted(),
  );
});

test("tiers: a test that is declared after the file has waited fails", (t) => {
  const files = {
    "tests/host/bad.test.ts": 'test("a", () => {});\nconst platform = await start();\ntest("b", () => {});\n',
    "tests/host/good.test.ts": 'const platform = await start();\ntest("a", async () => {\n  await b();\n});\n',
  };
  const findings = checkTiers(sampleTree(t, files));
  assert.deepEqual(
    findings.map((finding) => finding.split(" ")[0]),
    ["tests/host/bad.test.ts"],
  );
});

test("generated: fails without a script, and passes on what the script says", async (t) => {
  const none = sampleTree(t, { "packages/contract/package.json": "{}" });
  assert.match((await checkGenerated(none, () => assert.fail())).join(), /no script `generate`/);
  const root = sampleTree(t, { "packages/contract/package.json": '{ "scripts": { "generate": "x" } }' });
  assert.deepEqual(await checkGenerated(root, async (...command) => [command.flat().join(" ")]), [
    "npm run --silent generate -w @lydian/contract -- --check",
  ]);
});
