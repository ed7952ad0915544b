/** What lies under a path of a layer, whose content may be hostile: no link is followed on the way. */
import { lstat } from "node:fs/promises";
import { dirname, join } from "node:path";

import { hasCode } from "@lydian/kit";

/** A whiteout stands for what was deleted. */
export type EntryKind = "folder" | "file" | "whiteout" | "other";

/** Undefined when there is nothing, or something above it is no folder. `path` is relative, without "." and "..". */
export async function entryKind(root: string, path: string): Promise<EntryKind | undefined> {
  const above = dirname(path);
  if (above !== "." && (await entryKind(root, above)) !== "folder") return undefined;
  try {
    const stats = await lstat(join(root, path));
    if (stats.isDirectory()) return "folder";
    if (stats.isFile()) return "file";
    return stats.isCharacterDevice() && stats.rdev === 0 ? "whiteout" : "other";
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}
