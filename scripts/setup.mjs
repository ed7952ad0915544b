#!/usr/bin/env node
// Sets up what is missing in this checkout, and prints nothing when nothing is. Runs on Node 20, before any package is installed.
//
//   node scripts/setup.mjs               the locked npm packages (Node 26 among them)
//   node scripts/setup.mjs --client      and the newest public Python client
//   node scripts/setup.mjs --clients     and every supported Python client, and those of other languages
//   node scripts/setup.mjs --containers  and the programs that containers are made with

import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { installClients, newest, supportedClients, venvsFolder } from "./setup/clients.mjs";
import { installContainerPrograms } from "./setup/containers.mjs";
import { installOtherClients } from "./setup/other-clients.mjs";
import { installPackages } from "./setup/packages.mjs";
import { SetupError } from "./setup/stage.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const known = ["--client", "--clients", "--containers"];

/** @param {string[]} flags */
async function setup(flags) {
  const stray = flags.find((flag) => !known.includes(flag));
  if (stray !== undefined) throw new SetupError(`unknown option ${stray}; known are ${known.join(", ")}`);
  await installPackages(root);
  if (flags.includes("--containers")) await installContainerPrograms(root);
  const versions = supportedClients(root);
  if (flags.includes("--clients")) {
    await installClients(venvsFolder(), versions);
    await installOtherClients(root);
  } else if (flags.includes("--client")) await installClients(venvsFolder(), [newest(versions)]);
}

try {
  await setup(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(`setup: ${error.message}`);
  process.exitCode = 1;
}
