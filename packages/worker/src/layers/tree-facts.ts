/**
 * What a layer contains, as one digest, and what it takes on the disk. Equal trees have equal digests: names, kinds, modes,
 * owners, extended attributes, links and content all count; times do not, nor where on the disk a file has holes.
 *
 * Nobody writes into a finished layer, so that names may be followed one after the other; links are never followed.
 */
import { createHash, type Hash } from "node:crypto";
import { closeSync, constants, lstatSync, openSync, readdirSync, readlinkSync, readSync, type Stats } from "node:fs";

import { hasCode } from "@lydian/kit/errors";

import { systemCall } from "./system-call.ts";

export interface TreeFacts {
  /** Blocks, not lengths, and each inode once. */
  readonly bytes: number;
  /** Such as "tree1:…". */
  readonly digest: string;
}

/** What digests begin with; the number rises with every change to how they are made. */
export const factsWay = "tree1";

const llistxattr = systemCall("llistxattr", ["void *", "void *", "long"]);
const lgetxattr = systemCall("lgetxattr", ["void *", "void *", "void *", "long"]);
const lseek = systemCall("lseek", ["long", "long", "long"]);
const seekData = 3; // SEEK_DATA

const blockBytes = 256 * 1024;
const nothing = Buffer.alloc(blockBytes);

/** Of a thread that has time: reads all of it, synchronously; `goOn` throws when it is to be broken off. */
export function treeFacts(root: string, goOn: () => void): TreeFacts {
  const tree = new Tree(root, goOn);
  tree.add("", Buffer.from(root));
  return { bytes: tree.bytes, digest: `${factsWay}:${tree.hash.digest("hex")}` };
}

class Tree {
  readonly hash = createHash("sha256");
  bytes = 0;
  readonly #root: string;
  readonly #goOn: () => void;
  /** The first name of each inode that has several. */
  readonly #linked = new Map<number, string>();
  readonly #block = Buffer.alloc(blockBytes);
  readonly #attributes = Buffer.alloc(65_536); // the most that the kernel gives
  readonly #value = Buffer.alloc(65_536);

  constructor(root: string, goOn: () => void) {
    this.#root = root;
    this.#goOn = goOn;
  }

  /** `name` is relative to the root, its bytes as Latin-1, so that no two names are one; `path` is that on the host. */
  add(name: string, path: Buffer): void {
    this.#goOn();
    const stats = lstatSync(path);
    const { mode, uid, gid, rdev, nlink, ino } = stats;
    const first = stats.isDirectory() || nlink === 1 ? undefined : this.#linked.get(ino);
    if (first !== undefined) return this.#say([name, "link", first]);
    if (nlink > 1) this.#linked.set(ino, name);
    this.bytes += stats.blocks * 512;
    this.#say([name, mode, uid, gid, rdev, this.#attributesOf(path), ...this.#content(path, stats)]);
    if (!stats.isDirectory()) return;
    const names = readdirSync(path, "buffer").map((each) => each.toString("latin1"));
    for (const each of names.sort()) {
      this.add(`${name}/${each}`, Buffer.concat([path, Buffer.from("/"), Buffer.from(each, "latin1")]));
    }
  }

  #say(entry: readonly unknown[]): void {
    this.hash.update(`${JSON.stringify(entry)}\n`);
  }

  #content(path: Buffer, stats: Stats): readonly unknown[] {
    if (stats.isSymbolicLink()) return [readlinkSync(path, "buffer").toString("latin1")];
    if (!stats.isFile()) return [];
    const hash = createHash("sha256");
    const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      this.#readInto(hash, file, stats.size);
    } finally {
      closeSync(file);
    }
    return [stats.size, hash.digest("hex")];
  }

  /** Blocks of nothing are passed over, be they holes or not: a file may be said to be far larger than any disk. */
  #readInto(hash: Hash, file: number, size: number): void {
    for (let at = this.#dataFrom(file, 0); at < size;) {
      this.#goOn();
      at -= at % blockBytes;
      const length = readSync(file, this.#block, 0, blockBytes, at);
      if (length === 0) return;
      const data = this.#block.subarray(0, length);
      if (!data.equals(nothing.subarray(0, length))) hash.update(`${at}\n`).update(data);
      at = length < blockBytes ? at + length : this.#dataFrom(file, at + length);
    }
  }

  /** Infinity when nothing follows. */
  #dataFrom(file: number, at: number): number {
    try {
      return lseek(this.#root, file, at, seekData);
    } catch (error) {
      if (hasCode(error, "ENXIO")) return Number.POSITIVE_INFINITY;
      throw error;
    }
  }

  #attributesOf(path: Buffer): readonly (readonly [string, string])[] {
    const place = Buffer.concat([path, Buffer.alloc(1)]);
    const shown = path.toString();
    let length: number;
    try {
      length = llistxattr(shown, place, this.#attributes, this.#attributes.length);
    } catch (error) {
      if (hasCode(error, "EOPNOTSUPP")) return [];
      throw error;
    }
    const names = this.#attributes.toString("latin1", 0, length).split("\0").slice(0, -1);
    return names.sort().map((name) => {
      const bytes = lgetxattr(shown, place, Buffer.from(`${name}\0`, "latin1"), this.#value, this.#value.length);
      return [name, this.#value.toString("base64", 0, bytes)];
    });
  }
}
