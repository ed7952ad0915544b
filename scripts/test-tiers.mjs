// The tiers of tests, from what needs nothing to what needs a host and the public clients.

import { globSync } from "node:fs";

/**
 * @typedef {object} Tier
 * @property {string[]} files patterns from the repository's root
 * @property {string[]} flags of `node --test`
 * @property {number} [processes] among which the files are dealt out, where each runs its own one after the other
 * @property {number} minutes after which the tier is broken off: more than any sound run takes
 */

// Closing the process after the last test keeps one test that failed before its clean-up from holding up the whole tier.
const shared = ["--test-reporter=spec", "--test-force-exit"];
const isolated = [...shared, "--test-concurrency=2"];

export const tiers = /** @type {Record<string, Tier>} */ ({
  // Two processes for all files: a process a file would cost more than the tests.
  unit: {
    files: ["packages/*/test/**/*.test.ts", "scripts/**/*.test.mjs"],
    flags: [...shared, "--test-isolation=none", "--test-timeout=30000"],
    processes: 2,
    minutes: 10,
  },
  host: { files: ["tests/host/**/*.test.ts"], flags: [...isolated, "--test-timeout=120000"], minutes: 20 },
  clients: {
    files: ["tests/contract/**/*.test.ts", "tests/clients/**/*.test.ts"],
    flags: [...isolated, "--test-timeout=120000"],
    minutes: 30,
  },
  soak: { files: ["tests/soak/**/*.test.ts"], flags: [...shared, "--test-concurrency=1"], minutes: 180 },
});

/** @param {string} root @param {Tier} tier @returns {string[]} */
export const filesOf = (root, tier) =>
  globSync(tier.files, { cwd: root, exclude: ["**/node_modules/**", "**/dist/**"] }).sort();
