/** The data folder: may it be used, and what is the disk below it like. */
import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { dirname } from "node:path";

import { messageOf } from "@lydian/kit";
import { nearestExisting, probeDisk } from "@lydian/worker";

import { type DataLayout, isRoot } from "../paths.ts";
import { dynamicUser, findObstacle } from "../privileges.ts";
import { type Check, missing, ok } from "./check.ts";

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

/** Where containers run this is part of what they need. */
export function diskCheck(layout: DataLayout): Check {
  return { name: "Disk", run: async () => (await probeDisk(layout.root)).finding };
}
