// What every stage of the set-up shares: it says what it does, how long it took, and does not run twice at a time.

import { spawn } from "node:child_process";
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** Something the reader can act on: printed as its message alone, without a stack. */
export class SetupError extends Error {}

/**
 * Says what is done and, when it took over a second, how long.
 *
 * @template T
 * @param {string} title
 * @param {() => T | Promise<T>} work
 * @returns {Promise<T>}
 */
export async function stage(title, work) {
  console.log(`setup: ${title}`);
  const start = performance.now();
  const result = await work();
  const seconds = (performance.now() - start) / 1000;
  if (seconds > 1) console.log(`setup: ${title}: done in ${seconds.toFixed(1)} s`);
  return result;
}

/**
 * Runs a command. With `show` its output goes to the terminal; without, it is kept and returned or put into the error.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {{ cwd?: string, show?: boolean, env?: NodeJS.ProcessEnv }} [options]
 * @returns {Promise<string>}
 */
export function run(command, args, { cwd, show = false, env = process.env } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: show ? "inherit" : ["ignore", "pipe", "pipe"] });
    let output = "";
    const keep = (/** @type {Buffer} */ chunk) => (output += chunk.toString());
    child.stdout?.on("data", keep);
    child.stderr?.on("data", keep);
    child.on("error", (error) => reject(new SetupError(`cannot run ${command}: ${error.message}`)));
    child.on("close", (code, signal) => {
      if (code === 0) return resolve(output);
      const tail = output.trimEnd().split("\n").slice(-20).map(shorten).join("\n");
      reject(new SetupError(`${[command, ...args].join(" ")} ended with ${signal ?? code}\n${tail}`.trimEnd()));
    });
  });
}

/** pip names every version there is of a package in one line. @param {string} line */
const shorten = (line) => (line.length > 400 ? `${line.slice(0, 200)} ... ${line.slice(-200)}` : line);

/**
 * Holds a lock file while `work` runs: `npm test` and `npm run demo` started together must not install into one folder
 * at once. The file holds its owner's process id, and an owner that is dead counts as gone. (Two that find the same dead
 * owner in the same instant could both go on; that takes a crash and a race, and a second run repairs it.)
 *
 * @template T
 * @param {string} file
 * @param {() => T | Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withLock(file, work) {
  mkdirSync(dirname(file), { recursive: true });
  while (!take(file)) {
    if (ownerIsAlive(file)) await sleep(200);
    else rmSync(file, { force: true });
  }
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}

/** @param {string} file */
function take(file) {
  const mine = `${file}.${process.pid}`;
  writeFileSync(mine, String(process.pid));
  try {
    linkSync(mine, file); // unlike an exclusive write, nobody can see the file before the id is in it
    return true;
  } catch (error) {
    if (hasCode(error, "EEXIST")) return false;
    throw error;
  } finally {
    rmSync(mine, { force: true });
  }
}

/** @param {string} file */
function ownerIsAlive(file) {
  try {
    process.kill(Number(readFileSync(file, "utf8")), 0);
    return true;
  } catch (error) {
    return hasCode(error, "EPERM"); // EPERM: it lives, as somebody else's
  }
}

/**
 * @param {unknown} error
 * @param {string} code
 */
function hasCode(error, code) {
  return error instanceof Error && "code" in error && error.code === code;
}
