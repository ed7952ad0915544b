// `npm run check`: runs every part, reports all that fail, and ends with 1 if any did.
//
//   npm run check -- links sizes      only these parts

import { spawn } from "node:child_process";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { checkArrows } from "./check/arrows.mjs";
import { checkGenerated } from "./check/generated.mjs";
import { checkLinks } from "./check/links.mjs";
import { checkNames } from "./check/names.mjs";
import { checkSizes } from "./check/sizes.mjs";
import { checkTiers } from "./check/tiers.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Two cores are the least we run on, and the compiler and the linter use several threads themselves. */
const parallel = 2;

/** @type {Record<string, () => string[] | Promise<string[]>>} what is wrong, one entry a finding */
const parts = {
  generated: () => checkGenerated(root, tool),
  types: () => tool("tsc", []),
  lint: () => tool("oxlint", ["--deny-warnings"]),
  format: () => tool("oxfmt", ["--check"]),
  arrows: () => checkArrows(root),
  sizes: () => checkSizes(root),
  names: () => checkNames(root),
  links: () => checkLinks(root),
  tiers: () => checkTiers(root),
};

/**
 * The output of a failing command as one finding. npm puts node_modules/.bin first on the PATH.
 *
 * @param {string} command
 * @param {string[]} args
 * @returns {Promise<string[]>}
 */
function tool(command, args) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += chunk));
    child.on("error", (error) => resolve([`cannot run ${command}: ${error.message}`]));
    child.on("close", (code) => resolve(code === 0 ? [] : [output.trim() || `${command} ended with ${code}`]));
  });
}

/** @param {string} name @returns {Promise<boolean>} */
async function runPart(name) {
  const start = performance.now();
  const findings = await parts[name]?.();
  const seconds = ((performance.now() - start) / 1000).toFixed(2);
  if (findings?.length === 0) {
    console.log(`ok    ${name.padEnd(10)} ${seconds} s`);
    return true;
  }
  console.log(`FAIL  ${name.padEnd(10)} ${seconds} s`);
  for (const finding of findings ?? []) console.log(finding.replaceAll(/^/gm, "      "));
  return false;
}

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !(name in parts));
if (unknown.length > 0) {
  console.error(`no part called ${unknown.join(", ")}; there are ${Object.keys(parts).join(", ")}`);
  process.exit(1);
}

const queue = asked.length > 0 ? asked : Object.keys(parts);
/** @type {string[]} */
const failed = [];
const next = async () => {
  for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
    if (!(await runPart(name))) failed.push(name);
  }
};
await Promise.all(Array.from({ length: parallel }, next));
if (failed.length > 0) console.log(`\ncheck failed: ${failed.join(", ")}`);
process.exitCode = failed.length > 0 ? 1 : 0;
