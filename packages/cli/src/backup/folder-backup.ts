/** Backups that are folders: each file under its path. */
import { execFile } from "node:child_process";
import { createReadStream } from "node:fs";
import { mkdir, open, readdir, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

import { hasCode, PlatformError } from "@lydian/kit";

import type { BackedUpFile, BackupTarget } from "./backup.ts";

/** Throws a PlatformError where there is something already. */
export async function folderTarget(folder: string): Promise<BackupTarget> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if ((await readdir(folder)).length > 0) {
    throw new PlatformError(`${folder} is not empty`, { hint: "name a folder that is not there yet" });
  }
  return {
    add: (file) => writeFileOf(file, join(folder, file.path)),
    finish: () => syncAll(folder),
    abandon: () => rm(folder, { recursive: true, force: true }),
  };
}

/** Writes a new file; its folder is made. Not synced: `syncAll` does that for all at once. */
export async function writeFileOf(file: BackedUpFile, path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await using handle = await open(path, "wx", 0o600);
  for await (const chunk of file.open()) await handle.writeFile(chunk);
}

/** Brings all of the folder's file system to disk: for many small files that takes far less than a sync of each. */
export async function syncAll(folder: string): Promise<void> {
  await promisify(execFile)("sync", ["--file-system", folder]);
}

/** The files of a backup that is a folder; no links are followed. */
export async function* filesOfFolder(folder: string, below = ""): AsyncGenerator<BackedUpFile> {
  for (const entry of await readdir(join(folder, below), { withFileTypes: true })) {
    const path = join(below, entry.name);
    if (entry.isDirectory()) yield* filesOfFolder(folder, path);
    else if (entry.isFile()) {
      const { size } = await stat(join(folder, path));
      yield { path, size, open: () => createReadStream(join(folder, path)) as AsyncIterable<Buffer> };
    }
  }
}

export async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (hasCode(error, "ENOENT")) return false;
    throw error;
  }
}
