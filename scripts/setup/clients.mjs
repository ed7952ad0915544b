// Stage 2: the public Python clients, each version in a virtual environment of its own, shared by all checkouts.

import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { findOrInstallPython } from "./python.mjs";
import { run, stage, withLock } from "./stage.mjs";

/** How many environments are made at once: pip is bound by one core and the network. */
const parallel = 2;

/** @param {string} root @returns {string[]} */
export function supportedClients(root) {
  return JSON.parse(readFileSync(join(root, "packages", "contract", "clients.json"), "utf8")).python;
}

/** @param {readonly string[]} versions @returns {string} */
export function newest(versions) {
  const byNumber = new Intl.Collator("en", { numeric: true }).compare;
  const last = [...versions].sort(byNumber).at(-1);
  if (last === undefined) throw new Error("packages/contract/clients.json names no Python client");
  return last;
}

/** @param {NodeJS.ProcessEnv} [env] */
export function venvsFolder(env = process.env) {
  const cache = env.XDG_CACHE_HOME || join(homedir(), ".cache");
  return env.LYDIAN_VENVS || join(cache, "lydian", "venvs");
}

/**
 * @param {string} folder
 * @param {readonly string[]} versions
 */
export async function installClients(folder, versions) {
  const missing = () => versions.filter((version) => !isComplete(venv(folder, version)));
  if (missing().length === 0) return;
  await withLock(join(folder, ".setup.lock"), async () => {
    const queue = missing(); // less what the lock's last holder made
    if (queue.length === 0) return;
    const python = await findOrInstallPython();
    const title = `installing the Python client ${queue.join(", ")} into ${folder}`;
    await stage(title, async () => {
      const next = async () => {
        for (let version = queue.shift(); version !== undefined; version = queue.shift()) {
          await installClient(python.path, venv(folder, version), version);
        }
      };
      // Settled, not all: the lock is held until the last one has stopped, also when one fails.
      const ends = await Promise.allSettled(Array.from({ length: parallel }, next));
      for (const end of ends) if (end.status === "rejected") throw end.reason;
    });
  });
}

/**
 * The scripts of an environment name its own path, so it cannot be made elsewhere and renamed: it is made in place, and
 * a mark that is written last says that it is whole.
 *
 * @param {string} python
 * @param {string} path
 * @param {string} version
 */
async function installClient(python, path, version) {
  // The retries wait for the pip of a set-up that was killed, which may still be writing.
  rmSync(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  await run(python, ["-m", "venv", path]);
  const pip = ["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"];
  await run(join(path, "bin", "python"), [...pip, `modal==${version}`]);
  writeFileSync(markFile(path), `modal==${version} by ${python}\n`);
}

/** Also false once the interpreter it was made from is gone: bin/python is a link to it. @param {string} path */
const isComplete = (path) => existsSync(markFile(path)) && existsSync(join(path, "bin", "python"));

/** @param {string} path */
const markFile = (path) => join(path, ".lydian-complete");

/** @param {string} folder @param {string} version */
const venv = (folder, version) => join(folder, `modal-${version}`);
