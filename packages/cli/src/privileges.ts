/**
 * Who may do what in a data folder that is root's: the server runs as a user of its own who owns only its own folder.
 * Its number comes from the folder's path, so that two platforms on one machine cannot read each other's data.
 */
import { createHash } from "node:crypto";
import { chmod, lchown, mkdir, readdir, realpath, stat } from "node:fs/promises";
import { dirname, join } from "node:path";

import { PlatformError } from "@lydian/kit";

import type { UserIds } from "./identity.ts";
import type { DataLayout } from "./paths.ts";

/** systemd keeps these numbers for users that exist only as long as a service, so no account of a person has one. */
const dynamicUsers = { first: 61_184, count: 4_336 };

/** Makes the folders of server and worker with their rights; answers whom the server is to become when we are root. */
export async function prepareFolders(layout: DataLayout, root: boolean): Promise<UserIds | undefined> {
  await mkdir(layout.server, { recursive: true, mode: 0o700 });
  await mkdir(layout.worker, { recursive: true, mode: 0o700 });
  for (const folder of [layout.server, layout.worker]) await chmod(folder, 0o700);
  if (!root) {
    await chmod(layout.root, 0o700);
    return undefined;
  }
  const runAs = await serverUser(layout);
  await chmod(layout.root, 0o711); // the server's user passes through; all that lies here is protected one by one
  const obstacle = await findObstacle(layout.root, runAs);
  if (obstacle !== undefined) {
    throw new PlatformError(
      `the server's own user (${runAs.uid}) cannot reach ${layout.server}: ${obstacle} is closed to others`,
      {
        hint: `choose a folder below /var/lib with --data, or let others pass: chmod o+x ${obstacle}`,
      },
    );
  }
  if ((await stat(layout.server)).uid !== runAs.uid) await giveTo(runAs, layout.server);
  return runAs;
}

/** Whoever owns the folder already, so that a folder that was moved or restored keeps its user. */
async function serverUser(layout: DataLayout): Promise<UserIds> {
  const { uid, gid } = await stat(layout.server);
  if (uid !== 0) return { uid, gid: gid === 0 ? uid : gid };
  const own = dynamicUser(await realpath(layout.root));
  return { uid: own, gid: own };
}

/** The same for the same path. */
export function dynamicUser(path: string): number {
  return dynamicUsers.first + (createHash("sha256").update(path).digest().readUInt32BE() % dynamicUsers.count);
}

/** The outermost folder on the way to `folder`, itself included, that this user cannot pass; judged by mode bits only. */
export async function findObstacle(folder: string, user: UserIds): Promise<string | undefined> {
  const way: string[] = [];
  for (let path = await realpath(folder); ; path = dirname(path)) {
    way.unshift(path);
    if (path === dirname(path)) break;
  }
  for (const path of way) {
    const { mode, uid, gid } = await stat(path);
    const bit = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001;
    if ((mode & bit) === 0) return path;
  }
  return undefined;
}

/** The folder itself comes last: as long as it is root's, an interrupted run is repeated. */
async function giveTo(user: UserIds, folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await giveTo(user, path);
    else await lchown(path, user.uid, user.gid);
  }
  await lchown(folder, user.uid, user.gid);
}
