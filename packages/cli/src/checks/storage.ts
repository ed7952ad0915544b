/** The data folder: may it be used, is there room, is the file system one that can be trusted with a database. */
import { constants } from "node:fs";
import { access, stat, statfs } from "node:fs/promises";
import { dirname } from "node:path";

import { hasCode, messageOf } from "@lydian/kit";

import { type DataLayout, isRoot } from "../paths.ts";
import { dynamicUser, findObstacle } from "../privileges.ts";
import { type Check, missing, ok, warning } from "./check.ts";

export function dataFolderCheck(layout: DataLayout): Check {
  return {
    name: "Data folder",
    async run() {
      const existing = await nearestExisting(layout.root);
      const remedy = "choose another folder with --data, or give this user the right to write there";
      try {
        if (!(await stat(existing)).isDirectory()) return missing(`${existing} is not a folder`, remedy);
        await access(existing, constants.W_OK | constants.X_OK);
      } catch (error) {
        return missing(`${existing}: ${messageOf(error)}`, remedy);
      }
      // The data folder itself is opened for the server's user by `lydian up`.
      const way = existing === layout.root ? dirname(layout.root) : existing;
      const obstacle = isRoot() ? await findObstacle(way, serverUserOf(layout)) : undefined;
      if (obstacle !== undefined) {
        return missing(
          `the server's own user cannot pass ${obstacle}`,
          `choose a folder below /var/lib with --data, or: chmod o+x ${obstacle}`,
        );
      }
      return ok(existing === layout.root ? layout.root : `${layout.root} can be made`);
    },
  };
}

/** Whichever number it is: what matters is that it owns no folder on the way. */
function serverUserOf(layout: DataLayout): { uid: number; gid: number } {
  const uid = dynamicUser(layout.root);
  return { uid, gid: uid };
}

/** The numbers that statfs(2) gives; `trouble` is what goes wrong there. */
const fileSystems = new Map<number, { name: string; trouble?: string }>([
  [0xef53, { name: "ext4" }],
  [0x58465342, { name: "xfs" }],
  [0x9123683e, { name: "btrfs" }],
  [0x2fc12fc1, { name: "zfs" }],
  [0xf2f52010, { name: "f2fs" }],
  [0x794c7630, { name: "overlayfs", trouble: "the data ends with the container whose file system this is" }],
  [0x01021994, { name: "tmpfs", trouble: "the data is gone after a restart of the machine" }],
  [0x6969, { name: "NFS", trouble: "a database over the network can lose what it was told is safe" }],
  [0xff534d42, { name: "CIFS", trouble: "a database over the network can lose what it was told is safe" }],
  [0x65735546, { name: "a FUSE file system", trouble: "not all of them keep what was synced" }],
]);

const gibibyte = 2 ** 30;
const littleRoom = 5 * gibibyte;
const noRoom = gibibyte / 4;

export function diskCheck(layout: DataLayout): Check {
  return {
    name: "Disk",
    async run() {
      const { type, bavail, bsize } = await statfs(await nearestExisting(layout.root));
      const fileSystem = fileSystems.get(type) ?? { name: `file system 0x${type.toString(16)}` };
      const free = bavail * bsize;
      const detail = `${(free / gibibyte).toFixed(1)} GiB free on ${fileSystem.name}`;
      const remedy = "free some, or choose a folder on another disk with --data";
      if (free < noRoom) return missing(detail, remedy);
      if (free < littleRoom) return warning(`${detail}: little room for images and volumes`, remedy);
      return fileSystem.trouble === undefined
        ? ok(detail)
        : warning(`${detail}: ${fileSystem.trouble}`, "choose a folder on a local disk with --data");
    },
  };
}

async function nearestExisting(path: string): Promise<string> {
  try {
    await stat(path);
    return path;
  } catch (error) {
    if (path !== dirname(path) && hasCode(error, "ENOENT", "ENOTDIR")) return nearestExisting(dirname(path));
    return path; // closed to this user: the check that asks for it says so
  }
}
