/**
 * What a stack of plain layers shows, read without a mount. A plain layer says that a name is gone by a whiteout and has no
 * other marks: such are all layers of volumes.
 */
import { type BigIntStats, lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";

import { hasCode } from "@lydian/kit/errors";

/** A name: a folder with its parts in the layers, topmost first, or what lies in one layer. */
export type Shown = { kind: "folder"; parts: readonly string[] } | { kind: "other"; file: string; stats: BigIntStats };

/** `layers`: their folders, topmost first. The path has no slashes at its ends; empty for the root. */
export function shownAt(layers: readonly string[], path: string): Shown | undefined {
  let parts = layers;
  if (path === "") return { kind: "folder", parts };
  for (const [i, name] of path.split("/").entries()) {
    const found = shownIn(parts, name);
    if (found === undefined) return undefined;
    if (found.kind === "other") return i === path.split("/").length - 1 ? found : undefined;
    parts = found.parts;
  }
  return { kind: "folder", parts };
}

/** The names that a folder shows, with what they are. */
export function namesIn(parts: readonly string[]): Map<string, Shown> {
  const names = new Map<string, Shown>();
  const seen = new Set(parts.flatMap((part) => readdirSync(part)));
  for (const name of seen) {
    const shown = shownIn(parts, name);
    if (shown !== undefined) names.set(name, shown);
  }
  return names;
}

function shownIn(parts: readonly string[], name: string): Shown | undefined {
  const folders: string[] = [];
  for (const part of parts) {
    const file = join(part, name);
    const stats = statsOf(file);
    if (stats === undefined) continue;
    if (stats.isDirectory()) {
      folders.push(file);
      continue;
    }
    if (folders.length > 0 || isWhiteout(stats)) break;
    return { kind: "other", file, stats };
  }
  return folders.length > 0 ? { kind: "folder", parts: folders } : undefined;
}

export function isWhiteout(stats: BigIntStats): boolean {
  return stats.isCharacterDevice() && stats.rdev === 0n;
}

/** Undefined for what is not there, or not there any more. */
export function statsOf(file: string): BigIntStats | undefined {
  try {
    return lstatSync(file, { bigint: true });
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}

/** The same as long as nothing about a file has changed. What lies in a layer gets names in others, which changes nothing but the time of its last change. */
export function signatureOf({ ino, size, mtimeNs, ctimeNs, mode }: BigIntStats, isFixed: boolean): string {
  return `${ino} ${size} ${mtimeNs} ${isFixed ? "fixed" : ctimeNs} ${mode}`;
}
