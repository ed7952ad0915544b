/**
 * A volume: a tree of files that changes by commits. A commit adds entries and ends others, all at once; what a state
 * showed stays readable as long as its entries are kept.
 */
import type { Id } from "@lydian/kit";

/** `named` is found and listed by its name; `ephemeral` lives by heartbeats; `deleted` has no files any more. */
export type VolumeState = "named" | "ephemeral" | "deleted";

export interface Volume {
  id: Id<"vo">;
  environmentId: Id<"en">;
  state: VolumeState;
  /** Empty unless it has, or had, one. */
  name: string;
  /** Which family of RPCs its clients use. */
  version: 1 | 2;
  /** The number of the newest commit; 0 before the first one. */
  head: number;
  /** The oldest commit of which the state can still be read; 0, the empty state, at first. */
  oldest: number;
  /** Entries of the newest state, folders included. */
  entries: number;
  /** Of the newest state's files. */
  bytes: number;
  createdAt: number;
  createdBy: string;
}

/** Files are cut into pieces of so many bytes, which is the unit of uploads and downloads of version 2. */
export const pieceBytes = 8 * 1024 * 1024;

/** Where the bytes of a piece of a file lie: a range of stored content. What the piece lacks at its end is zeros. */
export interface Piece {
  /** Hex; empty where the length is 0. */
  sha256: string;
  offset: number;
  length: number;
}

export type EntryKind = "file" | "folder" | "link";

/** What a path of a volume shows. */
export interface Entry {
  /** From the root, without a slash at either end. */
  path: string;
  kind: EntryKind;
  /** Permission bits. */
  mode: number;
  /** Microseconds since the epoch. */
  mtime: number;
  /** Bytes. */
  size: number;
  /** Of a file: one for each `pieceBytes`. */
  pieces: readonly Piece[];
  /** Of a link: what it says. */
  target: string;
}

/** An entry of a volume, from the commit that brought it on. */
export interface KeptEntry extends Entry {
  since: number;
}

export interface VolumeCommit {
  volumeId: string;
  number: number;
  /** The same commit that comes again has the same one. */
  key: string;
  madeAt: number;
  /** A container's id, or who asked from outside. */
  madeBy: string;
  /** How many paths it has written and how many it has taken away. */
  written: number;
  removed: number;
}

/** The folder of a path; the root's is the root. */
export function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

export function nameIn(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

export function joinPath(folder: string, name: string): string {
  return folder === "" ? name : `${folder}/${name}`;
}

/** The folders above a path, outermost first, without the root. */
export function foldersAbove(path: string): string[] {
  const parts = path.split("/").slice(0, -1);
  return parts.map((_, i) => parts.slice(0, i + 1).join("/"));
}

/** Where processes see a volume. */
export interface MountedVolume {
  volumeId: string;
  /** Absolute in the container. */
  path: string;
  readOnly: boolean;
  /** A folder of the volume; empty for all of it. */
  subPath: string;
}
