// Installs Debian packages, where that is ours to do: as root, on Debian or what descends from it.

import { existsSync } from "node:fs";
import { run, SetupError, stage } from "./stage.mjs";

export const canInstallWithApt = () =>
  process.getuid?.() === 0 && existsSync("/etc/debian_version") && existsSync("/usr/bin/apt-get");

/**
 * @param {string[]} packages
 * @param {string} need what the reader is told where we cannot install: "X needs Y"
 */
export async function installWithApt(packages, need) {
  if (!canInstallWithApt()) {
    throw new SetupError(
      `${need}; install it (on Debian or Ubuntu: apt-get install ${packages.join(" ")}) and run this again`,
    );
  }
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  // A fresh machine updates itself in the background for a while.
  const patience = ["-o", "DPkg::Lock::Timeout=300"];
  const install = [...patience, "install", "-y", "-q", "--no-install-recommends", ...packages];
  await stage(`installing ${packages.join(" and ")} with apt-get`, async () => {
    try {
      await run("apt-get", install, { env });
    } catch {
      // A fresh machine has no package lists, an old one stale ones.
      await run("apt-get", ["update", "-q"], { env });
      await run("apt-get", install, { env });
    }
  });
}
