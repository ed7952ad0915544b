/** Who holds this file's lock has all content stay where it is: a backup, a check of all content; else the collector itself. */
import { chown, open, stat } from "node:fs/promises";
import { join } from "node:path";

import { type FileLock, lockWithin, systemClock } from "@lydian/kit";

/** `folder` is the server's. */
export function removalLock(folder: string): string {
  return join(folder, "removal-lock");
}

/** A look of the collector takes as long as reading all rows and listing all files. */
const patienceMs = 600_000;

/** For a process beside the server, which may be another user's. */
export async function holdRemovals(folder: string): Promise<FileLock> {
  const file = removalLock(folder);
  await (await open(file, "a", 0o600)).close();
  const { uid, gid } = await stat(folder);
  if (process.getuid?.() === 0) await chown(file, uid, gid); // or the server could not open it
  return await lockWithin(systemClock, file, patienceMs);
}
