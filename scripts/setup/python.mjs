// Finds a Python that can make virtual environments for the public clients, and installs Debian's where there is none.

import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { homedir } from "node:os";
import { installWithApt } from "./apt.mjs";
import { SetupError } from "./stage.mjs";

/** Minors of Python 3 in the order in which they are taken: 3.11 is Debian 12's own, and what our images default to. */
const preferred = [11, 12, 13, 10];
const names = [...preferred.map((minor) => `python3.${minor}`), "python3"];

/**
 * @typedef {{ path: string, minor: number }} Python
 * @typedef {(path: string) => number | undefined} Probe the minor of a Python 3 that can make environments
 */

const need = "the public Python clients need Python 3.10 or newer with its venv module";

/** @returns {Promise<Python>} */
export async function findOrInstallPython() {
  const found = findPython(searchFolders(), probe);
  if (found) return found;
  await installWithApt(["python3", "python3-venv"], need);
  const installed = findPython(searchFolders(), probe);
  if (installed) return installed;
  throw new SetupError(`${need}, and this host's packages have none`);
}

/**
 * @param {string[]} folders
 * @param {Probe} probeOne
 * @returns {Python | undefined}
 */
export function findPython(folders, probeOne) {
  /** @type {Python[]} */
  const found = [];
  for (const path of names.flatMap((name) => folders.map((folder) => join(folder, name)))) {
    if (!existsSync(path)) continue;
    const minor = probeOne(path);
    if (minor === undefined || minor < 10) continue;
    if (minor === preferred[0]) return { path, minor };
    found.push({ path, minor });
  }
  return found.sort((a, b) => rank(a.minor) - rank(b.minor))[0];
}

/** Newer minors than we know come last: the older clients may not have wheels for them. @param {number} minor */
function rank(minor) {
  const place = preferred.indexOf(minor);
  return place < 0 ? preferred.length : place;
}

/** The PATH, then pyenv's interpreters. Its shims are left out: each start through one costs a quarter of a second. */
function searchFolders() {
  const versions = join(homedir(), ".pyenv", "versions");
  const pyenv = existsSync(versions)
    ? readdirSync(versions)
        .sort()
        .map((version) => join(versions, version, "bin"))
    : [];
  const path = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder && !/pyenv\/shims\/?$/.test(folder));
  return [...path, ...pyenv];
}

/** Debian's python3 alone has `venv` but not `ensurepip`, without which an environment gets no pip. @type {Probe} */
function probe(path) {
  const program = "import ensurepip, sys, venv; print(*sys.version_info[:2])";
  try {
    const output = execFileSync(path, ["-c", program], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    const [major, minor] = output.trim().split(" ").map(Number);
    return major === 3 ? minor : undefined;
  } catch {
    return undefined;
  }
}
