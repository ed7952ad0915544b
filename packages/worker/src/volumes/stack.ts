/**
 * What a stack of layers shows, read without a mount. Layers of volumes are plain: they say that a name is gone by a
 * whiteout and have no other marks. Uppers that have become layers have those of the kernel: folders that hide what is
 * below, or show a folder that was elsewhere before it was renamed.
 */
import { type BigIntStats, lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";

import { hasCode } from "@lydian/kit/errors";
import { mayHideBytes, nameOnDisk, textOfName } from "@lydian/kit/file-names";

import { textAttribute } from "../layers/attributes.ts";

export interface Stack {
  /** Their folders, topmost first. */
  readonly layers: readonly string[];
  /** So many of them, the topmost, were uppers; all others are plain. */
  readonly uppers: number;
}

/** A folder of a layer, which is given by its place in the stack. */
export interface Part {
  readonly folder: string;
  readonly layer: number;
}

/** A name: a folder with its parts in the layers, topmost first, or what lies in one layer. */
export type Shown = { kind: "folder"; parts: readonly Part[] } | { kind: "other"; file: string; stats: BigIntStats };

/** The path has no slashes at its ends; empty for the root. `from`: without so many of the topmost layers. */
export function shownAt(stack: Stack, path: string, from = 0): Shown | undefined {
  const parts = stack.layers.slice(from).map((folder, i) => ({ folder, layer: from + i }));
  let shown: Shown | undefined = { kind: "folder", parts };
  if (path === "") return shown;
  for (const name of path.split("/")) {
    if (shown?.kind !== "folder") return undefined;
    shown = shownIn(stack, shown.parts, name);
  }
  return shown;
}

/** The texts of all names in a folder on disk; most need no second look. */
export function namesOnDisk(folder: string): string[] {
  const place = nameOnDisk(folder);
  const names = readdirSync(place);
  return names.some(mayHideBytes) ? readdirSync(place, "buffer").map(textOfName) : names;
}

/** The names that a folder shows, with what they are. */
export function namesIn(stack: Stack, parts: readonly Part[]): Map<string, Shown> {
  const names = new Map<string, Shown>();
  for (const name of new Set(parts.flatMap(({ folder }) => namesOnDisk(folder)))) {
    const shown = shownIn(stack, parts, name);
    if (shown !== undefined) names.set(name, shown);
  }
  return names;
}

/** What a folder with these parts shows under a name. */
export function shownIn(stack: Stack, parts: readonly Part[], name: string): Shown | undefined {
  const folders: Part[] = [];
  for (const [i, { folder, layer }] of parts.entries()) {
    const file = join(folder, name);
    const stats = statsOf(file);
    if (stats === undefined) continue;
    if (!stats.isDirectory()) {
      if (folders.length > 0 || isWhiteout(stats)) break;
      return { kind: "other", file, stats };
    }
    folders.push({ folder: file, layer });
    if (layer >= stack.uppers) continue;
    const before = nameBelow(file, name);
    if (before === name) continue;
    const below = before === undefined ? undefined : shownBefore(stack, before, parts.slice(i + 1), layer);
    if (below?.kind === "folder") folders.push(...below.parts);
    break;
  }
  return folders.length > 0 ? { kind: "folder", parts: folders } : undefined;
}

/** What layers below one show at the place that a folder had before it was renamed. */
function shownBefore(stack: Stack, before: string, siblings: readonly Part[], layer: number): Shown | undefined {
  return before.startsWith("/") ? shownAt(stack, before.slice(1), layer + 1) : shownIn(stack, siblings, before);
}

/**
 * Under which name the layers below show through a folder of an upper: its own; the one that it had before it was renamed,
 * absolute from the root of the stack where it was in another folder; or undefined, when none does.
 */
export function nameBelow(folder: string, name: string): string | undefined {
  if (textAttribute(folder, "trusted.overlay.opaque") === "y") return undefined;
  return textAttribute(folder, "trusted.overlay.redirect") ?? name;
}

export function isWhiteout(stats: BigIntStats): boolean {
  return stats.isCharacterDevice() && stats.rdev === 0n;
}

/** Undefined for what is not there, or not there any more. */
export function statsOf(file: string): BigIntStats | undefined {
  try {
    return lstatSync(nameOnDisk(file), { bigint: true, throwIfNoEntry: false });
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}

/** The same as long as nothing about a file has changed. What lies in a layer gets names in others, which changes nothing but the time of its last change. */
export function signatureOf({ ino, size, mtimeNs, ctimeNs, mode }: BigIntStats, isFixed: boolean): string {
  return `${ino} ${size} ${mtimeNs} ${isFixed ? "fixed" : ctimeNs} ${mode}`;
}
