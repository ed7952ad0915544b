// That the configured compiler, linter and formatter refuse what they are here to refuse.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { sampleTree } from "./sample-tree.mjs";

const root = join(import.meta.dirname, "..", "..");
const configs = ["package.json", ".oxlintrc.json", ".oxfmtrc.json", "tsconfig.json", "tsconfig.base.json"];
const path = "packages/kit/src/sample.ts";

/** @param {number} count */
const body = (count) => `export function long(): void {\n${"  console.log();\n".repeat(count - 2)}}\n`;

/** @type {Record<string, [tool: string, args: string[], source: string, fault: RegExp | undefined]>} */
const samples = {
  "sound code, by the compiler": ["tsc", [], body(80), undefined],
  "sound code, by the linter": ["oxlint", ["--deny-warnings"], body(80), undefined],
  "sound code, by the formatter": ["oxfmt", ["--check"], body(80), undefined],
  "a type error": ["tsc", [], 'export const a: number = "1";\n', /TS2322/],
  "an enum": ["tsc", [], "export enum A {}\n", /TS1294/],
  "an index that may be missing": ["tsc", [], "export const a = (b: string[]): string => b[0];\n", /TS2322/],
  "a function over 80 lines": ["oxlint", ["--deny-warnings"], body(81), /max-lines-per-function/],
  "a file over 500 lines": ["oxlint", ["--deny-warnings"], "\n".repeat(501), /max-lines/],
  "a promise that nobody awaits": ["oxlint", ["--deny-warnings"], "fetch('');\n", /no-floating-promises/],
  "unformatted code": ["oxfmt", ["--check"], "export const a  = 1\n", /sample\.ts/],
};

for (const [title, [tool, args, source, fault]] of Object.entries(samples)) {
  test(`tools: ${title}: ${fault ? "refused" : "passes"}`, (t) => {
    const copies = configs.map((name) => [name, readFileSync(join(root, name), "utf8")]);
    const folder = sampleTree(t, { ...Object.fromEntries(copies), ".gitignore": "node_modules\n", [path]: source });
    symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
    const command = join(root, "node_modules", ".bin", tool);
    const { status, stdout, stderr } = spawnSync(command, args, { cwd: folder, encoding: "utf8" });
    assert.equal(status === 0, fault === undefined, stdout + stderr);
    if (fault) assert.match(stdout + stderr, fault);
  });
}
