/** What makes a directory a layer: marks of overlayfs, and their absence. */
import { dirname, basename } from "node:path";

import { hasCode } from "@lydian/kit";

import { Descriptor, makeWhiteoutEntry, openEntry, openFile, openFolder } from "./descriptor.ts";
import { asyncSystemCall, systemCall } from "./system-call.ts";

const lgetxattr = systemCall("lgetxattr", ["str", "str", "void *", "long"]);
const lremovexattr = systemCall("lremovexattr", ["str", "str"]);
const lsetxattr = systemCall("lsetxattr", ["str", "str", "void *", "long", "long"]);
const fsetxattr = systemCall("fsetxattr", ["long", "str", "void *", "long", "long"]);
const syncfs = asyncSystemCall("syncfs", ["long"]);

/** What the kernel writes on the root of an upper about the mount that it was in; wrong in any other. */
const marksOfMount = ["trusted.overlay.uuid", "trusted.overlay.impure"];

/** Makes the upper of a mount that is gone a diff that may lie anywhere in a stack. Twice does no harm. */
export function sealDiff(diff: string): void {
  for (const mark of marksOfMount) {
    try {
      lgetxattr(`${mark} on ${diff}`, diff, mark, null, 0); // needs no right, as removing does even where there is none
      lremovexattr(`${mark} on ${diff}`, diff, mark);
    } catch (error) {
      if (!hasCode(error, "ENODATA", "EOPNOTSUPP")) throw error;
    }
  }
}

/** Marks a name as deleted: the layers below do not show it. The path is relative to the diff; no link is followed. */
export function makeWhiteout(diff: string, path: string): void {
  using parent = openInDiff(diff, dirname(path));
  makeWhiteoutEntry(parent, basename(path));
}

/** Marks a folder as replaced: the layers below do not show through it. No link is followed. */
export function makeOpaque(diff: string, path: string): void {
  using folder = openInDiff(diff, path);
  using readable = openFile(folder.procPath); // a place alone takes no attributes
  const value = Buffer.from("y");
  fsetxattr(
    `trusted.overlay.opaque on ${folder.path}`,
    readable.number,
    "trusted.overlay.opaque",
    value,
    value.length,
    0,
  );
}

/** Sets an extended attribute of what is there under this path, whose folders are no links; the last part is not followed. */
export function setAttribute(path: string, name: string, value: Buffer): void {
  lsetxattr(`${name} on ${path}`, path, name, value, value.length, 0);
}

function openInDiff(diff: string, path: string): Descriptor {
  using root = openFolder(diff);
  return openEntry(root, path, "folder");
}

/** Writes all that its file system has in memory to disk, at the price of one sync instead of one for each file. */
export async function syncFileSystem(folder: string): Promise<void> {
  using descriptor = openFile(folder);
  await syncfs(folder, descriptor.number);
}
