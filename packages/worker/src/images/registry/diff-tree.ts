/**
 * Where the entries of an archive go below a layer's folder. Names and links come from outside and may try to lead out
 * of it: names are taken apart, and each symbolic link on the way is followed here, inside the folder, never by the
 * kernel. Nobody else writes into a layer that is being made, so looking first is safe.
 */
import { chmodSync, lstatSync, mkdirSync, readlinkSync, rmSync, type Stats } from "node:fs";
import { join } from "node:path";

import { hasCode, PlatformError } from "@lydian/kit/errors";

import { makeOpaque } from "../../layers/layer-diff.ts";

/** As many as the kernel follows. */
const longestChain = 40;

/** A name in a folder that is there: `folder` as a real path relative to the layer, empty for the layer itself. */
export interface Place {
  readonly folder: string;
  readonly name: string;
}

export class DiffTree {
  readonly root: string;
  /** Real folders, so that each is looked at once. */
  readonly #folders = new Set<string>();

  constructor(root: string) {
    this.root = root;
  }

  /** Undefined for the layer itself. Folders on the way are made when missing. */
  place(entry: string): Place | undefined {
    const parts = partsOf(entry);
    const name = parts.pop();
    if (name === undefined) return undefined;
    return { folder: this.#folder(parts, entry), name };
  }

  /** Where on the host it is. */
  file(place: Place): string {
    return join(this.root, place.folder, place.name);
  }

  /** What is there, not followed; undefined when nothing is. */
  look(place: Place): Stats | undefined {
    return lstatIfThere(this.file(place));
  }

  /** Makes room for something that is no folder. */
  clear(place: Place): void {
    const there = this.look(place);
    if (there === undefined) return;
    if (there.isDirectory()) this.#folders.clear();
    rmSync(this.file(place), { recursive: true });
  }

  /** A folder that is there already keeps what it contains. */
  makeFolder(place: Place): void {
    const there = this.look(place);
    if (there?.isDirectory() === true) return;
    if (there !== undefined) rmSync(this.file(place));
    mkdirSync(this.file(place));
    chmodSync(this.file(place), 0o755);
    // It replaces what the layers below have under this name.
    if (there !== undefined && isWhiteout(there)) makeOpaque(this.root, relativePath(place));
  }

  #folder(parts: readonly string[], entry: string): string {
    let current: string[] = [];
    let links = 0;
    const rest = [...parts];
    for (let name = rest.shift(); name !== undefined; name = rest.shift()) {
      if (name === "" || name === ".") continue;
      if (name === "..") {
        current = current.slice(0, -1); // of a link; in the root it leads to the root
        continue;
      }
      const path = [...current, name].join("/");
      if (this.#folders.has(path)) {
        current.push(name);
        continue;
      }
      const place = { folder: current.join("/"), name };
      const there = this.look(place);
      if (there?.isSymbolicLink() === true) {
        if (++links > longestChain) throw refused(entry, "its folder is a circle of links");
        const target = readlinkSync(this.file(place));
        if (target.startsWith("/")) current = [];
        rest.unshift(...target.split("/"));
        continue;
      }
      if (there !== undefined && !there.isDirectory() && !isWhiteout(there))
        throw refused(entry, `${path} is no folder`);
      this.makeFolder(place);
      this.#folders.add(path);
      current.push(name);
    }
    return current.join("/");
  }
}

export function relativePath({ folder, name }: Place): string {
  return folder === "" ? name : `${folder}/${name}`;
}

/** How overlayfs notes that a name of the layers below is gone. */
export function isWhiteout(stats: Stats): boolean {
  return stats.isCharacterDevice() && stats.rdev === 0;
}

export function refused(entry: string, why: string): PlatformError {
  return new PlatformError(`the layer has an entry that is refused: ${JSON.stringify(entry)}: ${why}`);
}

/** Absolute names count from the layer's root; names that climb are refused. */
function partsOf(entry: string): string[] {
  if (entry.includes("\0") || entry.includes("\uFFFD")) throw refused(entry, "its name is not text");
  const parts = entry.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) throw refused(entry, "it leads out of the layer");
  return parts;
}

function lstatIfThere(file: string): Stats | undefined {
  try {
    return lstatSync(file, { throwIfNoEntry: false });
  } catch (error) {
    if (hasCode(error, "ENAMETOOLONG")) throw refused(file, "its name is too long");
    throw error;
  }
}
