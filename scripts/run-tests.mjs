// Runs tiers of tests in the order given, all of them also after a failure, and ends with one line for each.
//
//   node scripts/run-tests.mjs unit host
//   npm run test:unit -- packages/kit/test/ids.test.ts --test-name-pattern=sortable
//   npm run test:clients -- --client=1.3.5      the tests that are told with each client, with this one

import { spawn } from "node:child_process";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { filesOf, tiers } from "./test-tiers.mjs";

const root = process.env.LYDIAN_TEST_ROOT ?? dirname(dirname(fileURLToPath(import.meta.url)));

/**
 * @param {import("./test-tiers.mjs").Tier} tier
 * @param {string[]} files
 * @param {string[]} flags
 * @returns {Promise<string>} "passed" or what happened instead
 */
async function runTier(tier, files, flags) {
  const { processes = 1 } = tier;
  const shares = Array.from({ length: processes }, (_, i) => files.filter((_file, j) => j % processes === i));
  const used = shares.filter((share) => share.length > 0);
  const results = await Promise.all(used.map((share, i) => runFiles(tier, share, flags, i === 0)));
  return results.find((result) => result !== "passed") ?? "passed";
}

/**
 * @param {import("./test-tiers.mjs").Tier} tier
 * @param {string[]} files
 * @param {string[]} flags
 * @param {boolean} isHeard as it goes; else all of its output comes at its end
 * @returns {Promise<string>} "passed" or what happened instead
 */
function runFiles(tier, files, flags, isHeard) {
  const args = ["--conditions=lydian-source", "--test", ...tier.flags, ...flags, ...files];
  // A test of this script runs it inside `node --test`, whose mark would make the inner run skip every file.
  const { NODE_TEST_CONTEXT: _, ...own } = process.env;
  const env = client === undefined ? own : { ...own, LYDIAN_CLIENTS: client };
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, {
      cwd: root,
      env,
      stdio: isHeard ? "inherit" : ["inherit", "pipe", "pipe"],
    });
    /** @type {[NodeJS.WriteStream, Buffer][]} */
    const unheard = [];
    child.stdout?.on("data", (piece) => unheard.push([process.stdout, piece]));
    child.stderr?.on("data", (piece) => unheard.push([process.stderr, piece]));
    let broken = false;
    // At SIGINT node names the files that still run; after ten seconds more it is not asked.
    const patience = setTimeout(() => {
      broken = true;
      child.kill("SIGINT");
      setTimeout(() => child.kill("SIGKILL"), 10_000).unref();
    }, tier.minutes * 60_000);
    child.on("error", (error) => resolve(`FAILED: ${error.message}`));
    child.on("close", (code, signal) => {
      clearTimeout(patience);
      for (const [stream, piece] of unheard) stream.write(piece);
      if (broken) resolve(`FAILED: broken off after ${tier.minutes} minutes`);
      else resolve(code === 0 ? "passed" : `FAILED: ended with ${signal ?? code}`);
    });
  });
}

const args = process.argv.slice(2);
const names = args.filter((arg) => Object.hasOwn(tiers, arg));
const options = args.filter((arg) => arg.startsWith("--"));
const only = args.filter((arg) => !names.includes(arg) && !options.includes(arg));
const client = options.find((arg) => arg.startsWith("--client="))?.slice("--client=".length);
const flags = options.filter((arg) => !arg.startsWith("--client="));
// Their names say which client it is.
if (client !== undefined) flags.push(`--test-name-pattern=${client.replaceAll(".", "\\.")}`);

/** @type {string[]} */
const lines = [];
for (const name of names) {
  const tier = tiers[name];
  if (tier === undefined) continue;
  const files = only.length > 0 ? only : filesOf(root, tier);
  const start = performance.now();
  // `node --test` with no file to run says "pass 0" and ends well; a tier that is empty says so.
  const result = files.length === 0 ? `no tests in ${tier.files.join(", ")}` : await runTier(tier, files, flags);
  lines.push(`${name}: ${result} (${files.length} files, ${((performance.now() - start) / 1000).toFixed(1)} s)`);
}
if (names.length === 0) lines.push(`FAILED: name a tier: ${Object.keys(tiers).join(", ")}`);
console.log(`\n${lines.join("\n")}`);
process.exitCode = lines.some((line) => line.includes("FAILED")) ? 1 : 0;
