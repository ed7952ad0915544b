// What only stories need: the public clients of other languages (npm's package, and a Go program of this repository), and
// the module with which the Python clients read .env files.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { findOrInstallPython } from "./python.mjs";
import { run, SetupError, stage, withLock } from "./stage.mjs";

/** Where packages/testkit/src/other-clients.ts finds them. @param {NodeJS.ProcessEnv} [env] */
export function otherClientsFolder(env = process.env) {
  return join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "lydian", "clients");
}

/**
 * Nothing but stories needs them, and a story that lacks its client is skipped, so what cannot be installed is told and
 * the set-up goes on.
 *
 * @param {string} root
 * @param {string} [folder]
 */
export async function installOtherClients(root, folder = otherClientsFolder()) {
  for (const { path, title, make } of [
    javascriptClient(root, folder),
    goProgram(root, folder),
    dotenvModule(root, folder),
  ]) {
    if (existsSync(path)) continue;
    try {
      await withLock(join(folder, ".setup.lock"), async () => {
        if (!existsSync(path)) await stage(title, make); // unless by whoever held the lock
      });
    } catch (error) {
      if (!(error instanceof SetupError)) throw error;
      console.log(`setup: stories of this client are skipped: ${error.message}`);
    }
  }
}

/** @param {string} root @param {string} folder */
function javascriptClient(root, folder) {
  const { javascript: version } = JSON.parse(readFileSync(join(root, "packages", "contract", "clients.json"), "utf8"));
  const path = join(folder, `javascript-${version}`);
  const make = async () => {
    const unfinished = fresh(`${path}.unfinished`);
    writeFileSync(join(unfinished, "package.json"), "{}\n");
    const flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
    await run("npm", ["install", ...flags, "--prefix", unfinished, `modal@${version}`]);
    renameSync(unfinished, path);
  };
  return { path, title: `installing the JavaScript client ${version} into ${path}`, make };
}

/** @param {string} root @param {string} folder */
function goProgram(root, folder) {
  const source = join(root, "tests", "clients", "apps", "go");
  const path = join(folder, `go-${digestOf(source)}`);
  const make = async () => {
    const unfinished = fresh(`${path}.unfinished`);
    await run("go", ["build", "-o", join(unfinished, "callers"), "."], { cwd: source });
    renameSync(unfinished, path);
  };
  return { path, title: `building the program with the Go client into ${path}; the first time takes minutes`, make };
}

/** Beside the clients' environments, for those are what a user has who installs `modal`. @param {string} root @param {string} folder */
function dotenvModule(root, folder) {
  const { dotenv: version } = JSON.parse(readFileSync(join(root, "packages", "contract", "clients.json"), "utf8"));
  const path = join(folder, `dotenv-${version}`);
  const make = async () => {
    const unfinished = fresh(`${path}.unfinished`);
    const python = await findOrInstallPython();
    // An environment for its pip: the interpreter's own may have none.
    await run(python.path, ["-m", "venv", join(unfinished, "venv")]);
    const pip = ["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"];
    const target = ["--target", unfinished, `python-dotenv==${version}`];
    await run(join(unfinished, "venv", "bin", "python"), [...pip, ...target]);
    rmSync(join(unfinished, "venv"), { recursive: true, force: true });
    renameSync(unfinished, path);
  };
  return { path, title: `installing python-dotenv ${version} into ${path}`, make };
}

/** Of all that the program is made of; the modules' contents are in go.sum. @param {string} source */
function digestOf(source) {
  const hash = createHash("sha256");
  for (const name of ["go.mod", "go.sum", "main.go"]) hash.update(readFileSync(join(source, name)));
  return hash.digest("hex").slice(0, 16);
}

/** @param {string} path */
function fresh(path) {
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path, { recursive: true });
  return path;
}
