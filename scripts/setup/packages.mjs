// Stage 1: the locked npm packages, among them Node 26, which every npm script then finds first on its PATH.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { installWithApt } from "./apt.mjs";
import { run, SetupError, stage, withLock } from "./stage.mjs";

/** The oldest Node that runs Lydian: `bin/lydian` falls back to one on the PATH where npm has no Node 26 for the machine. */
const oldest = { major: 26, minor: 4 };

/** @param {string} root */
export async function installPackages(root) {
  if (isInstalled(root)) return;
  await withLock(join(root, ".cache", "setup.lock"), async () => {
    if (isInstalled(root)) return; // by whoever held the lock
    await stage("installing the locked npm packages", () => installLocked(root));
  });
}

/** @param {string} root */
async function installLocked(root) {
  // Install scripts never run: nothing we depend on needs one, and a fresh clone should not run strangers' code as root.
  // The includes answer NODE_ENV=production and npm's `omit` setting, which would leave out the compiler or Node itself.
  const flags = ["--ignore-scripts", "--include=dev", "--include=optional", "--no-audit", "--no-fund"];
  // By the machine's own npm: that of the packages, which npm scripts find first, would be removed under its own feet.
  const ours = join(root, "node_modules");
  const PATH = (process.env.PATH ?? "").split(delimiter).filter((folder) => !folder.startsWith(ours));
  const env = { ...process.env, PATH: PATH.join(delimiter) };
  await run("npm", ["ci", ...flags, "--loglevel=error"], { cwd: root, show: true, env });
  await linkNode(join(root, "node_modules", ".bin"));
  writeFileSync(markFile(root), wanted(root));
}

/**
 * Puts the Node of the packages where npm scripts find it. npm 11 has done so; npm 10, which comes with Node 20, links
 * both machines' packages to .bin/node and then takes the link away with the package that does not fit.
 *
 * @param {string} bin
 */
async function linkNode(bin) {
  const link = join(bin, "node");
  // First of all away with it: one that does not start would also be found by the next set-up, and hide the remedy.
  rmSync(link, { force: true });
  const target = `../node-${process.platform}-${process.arch}/bin/node`;
  if (existsSync(join(bin, target))) {
    // It is linked against libatomic, which a minimal Debian lacks.
    const starts = () => spawnSync(join(bin, target), ["--version"]).status === 0;
    if (!starts()) await installWithApt(["libatomic1"], "Node 26 needs libatomic.so.1");
    if (!starts()) throw new SetupError(`${join(bin, target)} does not start on this machine`);
    symlinkSync(target, link);
  } else if (!isRecent(process.versions.node)) {
    const here = `${process.platform}-${process.arch}`;
    const needed = `${oldest.major}.${oldest.minor}`;
    throw new SetupError(`npm has no Node ${oldest.major} for ${here}: put Node ${needed} or newer on the PATH`);
  }
}

/** @param {string} root */
function isInstalled(root) {
  const mark = markFile(root);
  if (!existsSync(mark) || readFileSync(mark, "utf8") !== wanted(root)) return false;
  freshen(mark, lockFile(root));
  return true;
}

/**
 * bin/lydian compares only the times of the mark and the lock, so a lock that was merely touched gets a newer mark.
 *
 * @param {string} mark
 * @param {string} lock
 */
function freshen(mark, lock) {
  if (statSync(mark).mtimeMs > statSync(lock).mtimeMs) return;
  const now = new Date();
  try {
    utimesSync(mark, now, now);
  } catch {
    // Somebody else's checkout: the next start compares the hashes again, which is all that this saves.
  }
}

/** @param {string} root */
const lockFile = (root) => join(root, "package-lock.json");

/** @param {string} root */
const markFile = (root) => join(root, "node_modules", ".lydian-setup");

/** The lock, and the machine: a folder copied to another architecture holds the wrong binaries. @param {string} root */
function wanted(root) {
  const lock = createHash("sha256")
    .update(readFileSync(lockFile(root)))
    .digest("hex");
  return `${lock} ${process.platform}-${process.arch}\n`;
}

/** @param {string} version */
function isRecent(version) {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > oldest.major || (major === oldest.major && minor >= oldest.minor);
}
