// Stage 3: the programs that containers are made with, from Debian's packages.

import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { canInstallWithApt, installWithApt } from "./apt.mjs";
import { SetupError, withLock } from "./stage.mjs";

/** Program -> Debian's package. */
const programs = {
  runc: "runc",
  conmon: "conmon",
  "tini-static": "tini",
  nft: "nftables",
  ip: "iproute2",
  mmdebstrap: "mmdebstrap",
};

/** Where system programs are, also when a user's PATH does not say so. */
const systemFolders = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/**
 * Installs what is missing where that can be done, and else says what to do: without it everything works but containers,
 * and `lydian up` and `lydian doctor` say so again, so the set-up goes on.
 *
 * @param {string} root
 * @param {readonly string[]} [folders] where programs are
 */
export async function installContainerPrograms(root, folders = searchFolders()) {
  const missing = () => missingPackages(folders);
  if (missing().length === 0) return;
  if (!canInstallWithApt()) {
    console.log(`setup: ${lack(missing())}`);
    return;
  }
  await withLock(join(root, ".cache", "setup.lock"), async () => {
    const packages = missing(); // less what the lock's last holder installed
    if (packages.length === 0) return;
    try {
      await installWithApt(packages, lack(packages));
    } catch (error) {
      if (!(error instanceof SetupError)) throw error;
      console.log(`setup: ${lack(packages)}\nsetup: ${error.message}`);
    }
  });
}

/** @param {readonly string[]} folders @returns {string[]} */
export function missingPackages(folders) {
  return Object.entries(programs)
    .filter(([program]) => !folders.some((folder) => isProgram(join(folder, program))))
    .map(([, name]) => name);
}

/** @param {readonly string[]} packages */
export function lack(packages) {
  return (
    `containers need ${packages.join(", ")}; install them as root ` +
    `(on Debian or Ubuntu: apt-get install ${packages.join(" ")}), or use \`lydian up --runtime process\``
  );
}

function searchFolders() {
  return [...(process.env.PATH ?? "").split(delimiter).filter((folder) => folder.startsWith("/")), ...systemFolders];
}

/** @param {string} path */
function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false; // not there, or not to be run
  }
}
