/** Files that are whole or absent, also after a power cut, and deletion that cannot leave its folder. */
import { randomBytes } from "node:crypto";
import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join, relative, resolve, sep } from "node:path";

import { PlatformError } from "./errors.ts";

/** Makes a rename or a new entry in `folder` last. */
export async function syncFolder(folder: string): Promise<void> {
  await using handle = await open(folder, "r");
  await handle.sync();
}

/** A name beside `file` that no reader takes for a finished file. */
export function temporaryBeside(file: string): string {
  return join(dirname(file), `.${basename(file)}.${randomBytes(6).toString("hex")}.tmp`);
}

/** Writes by way of a temporary file: `fill` gets its handle; then sync, rename, sync of the folder. */
export async function writeDurably(
  file: string,
  fill: string | Uint8Array | ((handle: FileHandle) => Promise<void>),
  mode = 0o600,
): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const temporary = temporaryBeside(file);
  try {
    await using handle = await open(temporary, "wx", mode);
    if (typeof fill === "function") await fill(handle);
    else await handle.writeFile(fill);
    await handle.sync();
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(dirname(file));
}

/** Deletes `path` and all below it; refuses a path that is not strictly inside `folder`. */
export async function removeBelow(folder: string, path: string): Promise<void> {
  const inside = relative(resolve(folder), resolve(path));
  if (inside === "" || inside === ".." || inside.startsWith(`..${sep}`) || resolve(inside) === inside) {
    throw new PlatformError(`refused to delete ${path}: it is not inside ${folder}`);
  }
  await rm(path, { recursive: true, force: true });
}
