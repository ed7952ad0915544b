/** Makes what a plain layer has: folders, links, files that lie elsewhere already or whose content is given. */
import {
  chmodSync,
  closeSync,
  fchmodSync,
  ftruncateSync,
  futimesSync,
  linkSync,
  mkdirSync,
  openSync,
  symlinkSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";

import { hasCode } from "@lydian/kit/errors";
import { nameOnDisk } from "@lydian/kit/file-names";

import { hasOthersAttributes } from "../layers/attributes.ts";
import { makeWhiteout } from "../layers/layer-diff.ts";
import { shownAt, type Stack, statsOf } from "./stack.ts";

/** What is to be at a path. */
export type LayerPart =
  | { readonly kind: "folder"; readonly path: string; readonly mode: number }
  | { readonly kind: "link"; readonly path: string; readonly target: string }
  /** A file that lies elsewhere, where it never changes; `isPlain` when it is known to have nothing that layers do not keep. */
  | { readonly kind: "known"; readonly path: string; readonly file: string; readonly isPlain: boolean }
  | FileContent
  /** It is gone; the folder above it is there, or shown by the state below. */
  | { readonly kind: "gone"; readonly path: string };

export interface FileContent {
  readonly kind: "content";
  readonly path: string;
  readonly mode: number;
  /** Microseconds since the epoch. */
  readonly mtime: number;
  readonly size: number;
  /** What it lacks at its end is zeros. */
  readonly bytes: Uint8Array;
}

export interface LayerBatch {
  /** Of the layer, which is nobody else's. */
  readonly folder: string;
  /** The state below. */
  readonly base: Stack;
  readonly parts: readonly LayerPart[];
}

/** Answers which parts could not be made, by their place among them: known files that are not where they were, or not plain. */
export function makeParts({ folder, base, parts }: LayerBatch): number[] {
  const layer = new LayerFolder(folder, base);
  return [...parts.entries()].filter(([, part]) => !layer.make(part)).map(([i]) => i);
}

export class LayerFolder {
  readonly #folder: string;
  readonly #base: Stack;
  readonly #made = new Set<string>([""]);

  constructor(folder: string, base: Stack) {
    this.#folder = folder;
    this.#base = base;
  }

  make(part: LayerPart): boolean {
    const file = join(this.#folder, part.path);
    if (part.kind === "gone") return this.#hide(part.path);
    this.#makeFolder(folderOf(part.path));
    switch (part.kind) {
      case "folder":
        this.#makeFolder(part.path);
        chmodSync(nameOnDisk(file), part.mode);
        return true;
      case "link":
        symlinkSync(nameOnDisk(part.target), nameOnDisk(file));
        return true;
      case "known":
        return (part.isPlain || !hasOthersAttributes(part.file)) && isLinked(part.file, file);
      case "content":
        fill(part, file);
        return true;
    }
  }

  #hide(path: string): true {
    const above = folderOf(path);
    if (shownAt(this.#base, path) === undefined) return true;
    const stats = statsOf(join(this.#folder, above));
    if (stats !== undefined && !stats.isDirectory()) return true; // a file in the folder's place hides it
    this.#makeFolder(above);
    makeWhiteout(this.#folder, path);
    return true;
  }

  /** With the rights that it has below, for what is topmost says what a folder is like. */
  #makeFolder(path: string): void {
    if (this.#made.has(path)) return;
    this.#makeFolder(folderOf(path));
    this.#made.add(path);
    const folder = nameOnDisk(join(this.#folder, path));
    try {
      mkdirSync(folder);
    } catch (error) {
      if (hasCode(error, "EEXIST")) return;
      throw error;
    }
    const shown = shownAt(this.#base, path);
    const below = shown?.kind === "folder" ? statsOf(shown.parts[0]?.folder ?? "") : undefined;
    chmodSync(folder, below === undefined ? 0o755 : Number(below.mode) & 0o7777);
  }
}

function isLinked(known: string, file: string): boolean {
  try {
    linkSync(nameOnDisk(known), nameOnDisk(file));
    return true;
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR", "EMLINK")) return false;
    throw error;
  }
}

function fill({ mode, mtime, size, bytes }: FileContent, file: string): void {
  const descriptor = openSync(nameOnDisk(file), "wx", 0o600);
  try {
    for (let at = 0; at < bytes.length;) at += writeSync(descriptor, bytes, at);
    ftruncateSync(descriptor, size);
    fchmodSync(descriptor, mode);
    futimesSync(descriptor, mtime / 1_000_000, mtime / 1_000_000);
  } finally {
    closeSync(descriptor);
  }
}

const folderOf = (path: string): string => {
  const folder = dirname(path);
  return folder === "." ? "" : folder;
};
