// Fails on a test file that no tier runs: a misplaced one would pass for ever.

import { filesOf, tiers } from "../test-tiers.mjs";
import { listFiles } from "./files.mjs";

/** @param {string} root @returns {string[]} */
export function checkTiers(root) {
  const run = new Set(Object.values(tiers).flatMap((tier) => filesOf(root, tier)));
  return listFiles(root)
    .filter((path) => /\.(?:test|spec)\.(?:[cm]?[jt]sx?|py)$/.test(path) && !run.has(path))
    .map((path) => `${path} is in no tier (scripts/test-tiers.mjs), so no test command runs it`);
}
