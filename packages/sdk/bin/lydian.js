#!/usr/bin/env node
// The command `lydian`: runs on this Node where that is new enough, and else on the one that is installed with it.
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/** Its code, which nothing else of this package may reach. */
const command = "@lydian/cli/main";
/** As `engines` of @lydian/cli has it. */
const least = [26, 4];

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major > least[0] || (major === least[0] && minor >= least[1])) await import(command);
else onPackaged();

function onPackaged() {
  const name = `node-${process.platform}-${process.arch}`;
  let program;
  try {
    program = join(dirname(createRequire(import.meta.url).resolve(`${name}/package.json`)), "bin", "node");
  } catch {
    console.error(`Error: lydian needs Node ${least.join(".")} or newer, and this is ${process.version}`);
    console.error(`Hint: install a newer Node, or the one that lydian brings along: npm install ${name}`);
    process.exitCode = 1;
    return;
  }
  const child = spawn(program, [...process.execArgv, ...process.argv.slice(1)], { stdio: "inherit" });
  // A terminal's Ctrl-C reaches both; what is sent to this process alone is passed on.
  for (const signal of ["SIGTERM", "SIGHUP", "SIGINT"]) process.on(signal, () => child.kill(signal));
  child.on("error", (error) => {
    console.error(`Error: ${program} cannot be run: ${error.message}`);
    process.exitCode = 1;
  });
  child.on("exit", (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}
