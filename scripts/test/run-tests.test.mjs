import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { sampleTree } from "./sample-tree.mjs";

const script = join(import.meta.dirname, "..", "run-tests.mjs");
const passes = 'import { test } from "node:test";\ntest("fine", () => {});\n';
const fails = 'import { test } from "node:test";\ntest("wrong", () => { throw new Error("no"); });\n';
const hangs = 'import { test } from "node:test";\ntest("leaks", () => { setInterval(() => {}, 1000); });\n';

/** @param {string} root @param {string[]} args */
function runTests(root, ...args) {
  const env = { ...process.env, LYDIAN_TEST_ROOT: root };
  const { stdout, status } = spawnSync(process.execPath, [script, ...args], { env, encoding: "utf8" });
  return { stdout, status };
}

test("run-tests: later tiers run after a failure, which still decides the end", (t) => {
  const root = sampleTree(t, { "tests/host/a.test.ts": fails, "tests/clients/a.test.ts": passes });
  const { stdout, status } = runTests(root, "host", "clients");
  assert.match(stdout, /^host: FAILED: ended with 1 \(1 files.*\nclients: passed \(1 files/m);
  assert.equal(status, 1);
});

test("run-tests: an empty tier says so, and a leaked timer holds nothing up", (t) => {
  const root = sampleTree(t, { "packages/a/test/a.test.ts": hangs, "tests/clients/a.test.ts": hangs });
  const { stdout, status } = runTests(root, "unit", "host", "clients");
  assert.match(stdout, /^unit: passed .*\nhost: no tests in tests\/host\/\*\*\/\*\.test\.ts .*\nclients: passed/m);
  assert.match(stdout, /ℹ pass 1\n/);
  assert.equal(status, 0);
});

test("run-tests: files and flags narrow a tier", (t) => {
  const root = sampleTree(t, { "tests/host/a.test.ts": passes, "tests/host/b.test.ts": fails });
  assert.equal(runTests(root, "host", "tests/host/a.test.ts").status, 0);
  assert.equal(runTests(root, "host", "--test-name-pattern=fine").status, 0);
});

test("run-tests: the unit tier is dealt out to two processes, and both are heard", (t) => {
  const named = (/** @type {string} */ name, /** @type {string} */ text) => text.replace(/test\("\w+/, `test("${name}`);
  const root = sampleTree(t, {
    "packages/a/test/a.test.ts": named("first", passes),
    "packages/a/test/b.test.ts": named("second", fails),
    "packages/a/test/c.test.ts": named("third", passes),
  });
  const { stdout, status } = runTests(root, "unit");
  for (const heard of [/✔ first/, /✖ second/, /✔ third/]) assert.match(stdout, heard);
  assert.match(stdout, /^unit: FAILED: ended with 1 \(3 files/m);
  assert.equal(status, 1);
});

test("run-tests: no tier is a failure", (t) => {
  assert.equal(runTests(sampleTree(t, {})).status, 1);
});
