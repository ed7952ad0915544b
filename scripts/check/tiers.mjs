// Fails on a test that no test command runs: it would pass for ever.

import { readFileSync } from "node:fs";
import { filesOf, tiers } from "../test-tiers.mjs";
import { listFiles } from "./files.mjs";

/** @param {string} root @returns {string[]} */
export function checkTiers(root) {
  const run = new Set(Object.values(tiers).flatMap((tier) => filesOf(root, tier)));
  const tests = listFiles(root).filter((path) => /\.(?:test|spec)\.(?:[cm]?[jt]sx?|py)$/.test(path));
  return tests.flatMap((path) => {
    if (!run.has(path)) return [`${path} is in no tier (scripts/test-tiers.mjs), so no test command runs it`];
    return waitsBetweenTests(readFileSync(`${root}/${path}`, "utf8"))
      ? [`${path} awaits at its top after the first test: node may end the file before the tests below are there`]
      : [];
  });
}

/** Of statements at the top of a file only, by how they are formatted: the run ends with the last test that is known. */
function waitsBetweenTests(/** @type {string} */ text) {
  const first = text.search(/^(?:test|it|describe|testEachClient)\(/m);
  return first >= 0 && /^(?:const [^\n]* = )?await /m.test(text.slice(first));
}
