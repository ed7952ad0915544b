/**
 * What an upper changes of the stack that it lies on: paths that are written, each with the file that has its content, and
 * paths that are gone. Read from the upper's own folder, while its processes may write to it: who needs a moment's state
 * lets them stand still.
 */
import type { BigIntStats } from "node:fs";
import { join } from "node:path";

import { hasCode } from "@lydian/kit/errors";
import { bytesOnDisk, mostPathBytes } from "@lydian/kit/file-names";

import { isSameFile, targetOf } from "./same-file.ts";
import {
  isWhiteout,
  nameBelow,
  namesIn,
  namesOnDisk,
  type Shown,
  shownAt,
  shownIn,
  signatureOf,
  type Stack,
  statsOf,
} from "./stack.ts";

export interface WrittenPath {
  readonly kind: "file" | "folder" | "link";
  /** On the host. */
  readonly file: string;
  /** Permission bits. */
  readonly mode: number;
  /** Microseconds since the epoch. */
  readonly mtime: number;
  readonly size: number;
  /** Of a link. */
  readonly target: string;
  /** The same as long as nothing about it has changed. */
  readonly signature: string;
  /** It lies in a layer, which never changes. */
  readonly isFixed: boolean;
  /** Nobody but the host's root owns it, to whom all belongs that the server has. */
  readonly isRoots: boolean;
}

export interface Difference {
  /** By path, folders before what is in them. */
  readonly written: Map<string, WrittenPath>;
  /** Paths that the stack shows and the upper hides, the innermost first. Those of folders have a slash at the end. */
  readonly removed: string[];
  /** A path that is too long for a volume: what is there, and below, is not told. */
  readonly tooLong?: string | undefined;
}

export function differenceOf(upper: string, stack: Stack): Difference {
  const reader = new Reader(upper, stack);
  reader.read();
  return { written: reader.written, removed: reader.gone(), tooLong: reader.tooLong };
}

class Reader {
  readonly written = new Map<string, WrittenPath>();
  tooLong: string | undefined;
  readonly #upper: string;
  readonly #stack: Stack;
  /** Whether they are folders. */
  readonly #removed = new Map<string, boolean>();
  /** Files that were copied up and not changed: they are neither written nor gone. */
  readonly #kept = new Set<string>();

  /** What the stack shows at the folder that was last asked about: many files lie in one. */
  #last: { folder: string; shown: Shown | undefined } | undefined;

  constructor(upper: string, stack: Stack) {
    this.#upper = upper;
    this.#stack = stack;
  }

  read(): void {
    this.#readFolder("", "");
  }

  /** Outer paths come before inner ones in the order of paths. */
  gone(): string[] {
    const gone = [...this.#removed].filter(([path]) => !this.written.has(path) && !this.#kept.has(path));
    return gone.map(([path, isFolder]) => (isFolder ? `${path}/` : path)).toSorted(innermostFirst);
  }

  /** `base`: the folder of the stack that shows through this one; undefined when none does. */
  #readFolder(path: string, base: string | undefined): void {
    const here = new Set<string>();
    for (const name of namesOf(join(this.#upper, path))) {
      here.add(name);
      try {
        this.#readName(joined(path, name), base === undefined ? undefined : joined(base, name), base);
      } catch (error) {
        if (!hasCode(error, "ENOENT", "ENOTDIR")) throw error; // gone while it was looked at
      }
    }
    if (base === undefined || base === path) return;
    const shown = this.#shownAt(base);
    if (shown?.kind !== "folder") return;
    for (const [name, each] of namesIn(this.#stack, shown.parts))
      if (!here.has(name)) this.#putTree(joined(path, name), each);
  }

  #readName(path: string, under: string | undefined, base: string | undefined): void {
    if (isTooLong(path)) {
      this.tooLong ??= path;
      return;
    }
    const file = join(this.#upper, path);
    const stats = statsOf(file);
    if (stats === undefined) return;
    if (isWhiteout(stats)) {
      if (under === path) this.#remove(path);
    } else if (stats.isDirectory()) {
      const through = this.#throughOf(file, under, base);
      if (through !== path) this.#remove(path);
      const shown = through === undefined ? undefined : this.#shownAt(through);
      this.#putFolder(path, file, stats);
      this.#readFolder(path, shown?.kind === "folder" ? through : undefined);
    } else this.#putFile(path, file, stats);
  }

  /** Which folder of the stack shows through: the one of its name, none, or the one that it was before it was renamed. */
  #throughOf(file: string, under: string | undefined, base: string | undefined): string | undefined {
    const before = nameBelow(file, "");
    if (before === "") return under;
    if (before === undefined || before.startsWith("/")) return before?.slice(1);
    return base === undefined ? undefined : joined(base, before);
  }

  #shownAt(path: string): Shown | undefined {
    if (path === "") return shownAt(this.#stack, "");
    const folder = path.slice(0, Math.max(0, path.lastIndexOf("/")));
    if (this.#last?.folder !== folder) this.#last = { folder, shown: shownAt(this.#stack, folder) };
    const { shown } = this.#last;
    return shown?.kind === "folder"
      ? shownIn(this.#stack, shown.parts, path.slice(path.lastIndexOf("/") + 1))
      : undefined;
  }

  #putFolder(path: string, file: string, stats: BigIntStats): void {
    const shown = this.#shownAt(path);
    if (shown?.kind === "other") this.#removed.set(path, false);
    const before = shown?.kind === "folder" ? statsOf(shown.parts[0]?.folder ?? "") : undefined;
    if (before !== undefined && modeOf(before) === modeOf(stats)) this.#kept.add(path);
    else this.written.set(path, pathOf("folder", file, stats));
  }

  #putFile(path: string, file: string, stats: BigIntStats, isFixed = false): void {
    const kind = stats.isFile() ? "file" : stats.isSymbolicLink() ? "link" : undefined;
    if (kind === undefined) return; // pipes and sockets last no longer than who made them
    const shown = this.#shownAt(path);
    if (shown?.kind === "folder") this.#remove(path);
    if (shown?.kind === "other" && isSameFile(shown, file, stats)) this.#kept.add(path);
    else this.written.set(path, pathOf(kind, file, stats, isFixed));
  }

  /** What the stack shows elsewhere has come here with a folder that was renamed. */
  #putTree(path: string, shown: Shown): void {
    if (isTooLong(path)) {
      this.tooLong ??= path;
      return;
    }
    if (shown.kind === "other") return this.#putFile(path, shown.file, shown.stats, true);
    const top = shown.parts[0]?.folder ?? "";
    const stats = statsOf(top);
    if (stats === undefined) return;
    this.#putFolder(path, top, stats);
    for (const [name, each] of namesIn(this.#stack, shown.parts)) this.#putTree(joined(path, name), each);
  }

  #remove(path: string): void {
    const shown = this.#shownAt(path);
    if (shown !== undefined) this.#removeShown(path, shown);
  }

  #removeShown(path: string, shown: Shown): void {
    if (isTooLong(path)) return; // it never was in the volume
    this.#removed.set(path, shown.kind === "folder");
    if (shown.kind === "other") return;
    for (const [name, each] of namesIn(this.#stack, shown.parts)) this.#removeShown(joined(path, name), each);
  }
}

/** Of paths that may end with a slash. */
export const innermostFirst = (one: string, other: string): number => (one < other ? 1 : one > other ? -1 : 0);

/** A character is at most four bytes. */
const isTooLong = (path: string): boolean => path.length * 4 > mostPathBytes && bytesOnDisk(path) > mostPathBytes;

const joined = (folder: string, name: string): string => (folder === "" ? name : `${folder}/${name}`);
const modeOf = ({ mode }: BigIntStats): number => Number(mode) & 0o7777;

function namesOf(folder: string): string[] {
  try {
    return namesOnDisk(folder);
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return []; // gone meanwhile
    throw error;
  }
}

function pathOf(kind: WrittenPath["kind"], file: string, stats: BigIntStats, isFixed = false): WrittenPath {
  const mode = modeOf(stats);
  const isRoots = stats.uid === 0n && stats.gid === 0n;
  const common = { kind, file, mode, isFixed, isRoots, mtime: Number(stats.mtimeNs / 1000n) };
  if (kind === "folder") return { ...common, size: 0, target: "", signature: `${folderMark}${mode}` };
  if (kind === "file") {
    return { ...common, size: Number(stats.size), target: "", signature: signatureOf(stats, isFixed) };
  }
  const target = targetOf(file);
  return { ...common, size: Number(stats.size), target, signature: `link ${target}` };
}

/** What a stack shows, as something to write. */
export function shownPath(shown: Shown): WrittenPath | undefined {
  if (shown.kind === "other")
    return pathOf(shown.stats.isSymbolicLink() ? "link" : "file", shown.file, shown.stats, true);
  const top = shown.parts[0]?.folder ?? "";
  const stats = statsOf(top);
  return stats && pathOf("folder", top, stats, true);
}

const folderMark = "folder ";

export function isFolderSignature(signature: string): boolean {
  return signature.startsWith(folderMark);
}
