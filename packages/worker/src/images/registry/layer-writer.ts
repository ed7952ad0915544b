/**
 * Writes the entries of a layer's archive into a folder as overlayfs takes it for a lower layer. All calls are synchronous:
 * it works in a thread of its own, where that takes a fifth of the time.
 *
 * Left out are device nodes and FIFOs (the runtime makes the devices that containers may have) and attributes that are the
 * kernel's or overlayfs' own (trusted, system, security but for capabilities): an image must not speak in their name.
 */
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  ftruncateSync,
  futimesSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  openSync,
  symlinkSync,
  utimesSync,
  writeSync,
} from "node:fs";

import { hasCode } from "@lydian/kit/errors";

import { makeOpaque, makeWhiteout, setAttribute } from "../../layers/layer-diff.ts";
import { DiffTree, isWhiteout, type Place, refused, relativePath } from "./diff-tree.ts";
import type { SparseMap, TarHeader, TarSink } from "./tar-reader.ts";

/** In an archive a whiteout is a file with this prefix; the names below it with a second one belong to older tools. */
const whiteoutPrefix = ".wh.";
const opaqueName = ".wh..wh..opq";

const newFile = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/** A run of zeros that is at least as long becomes a hole. */
const zeros = Buffer.alloc(64 * 1024);

export class LayerWriter implements TarSink {
  readonly #tree: DiffTree;
  /** Set at the end, for what is made in a folder changes its time. */
  readonly #folderTimes = new Map<string, number>();
  #file: OpenFile | undefined;

  /** `diff` is an empty folder. */
  constructor(diff: string) {
    this.#tree = new DiffTree(diff);
  }

  begin(header: TarHeader): void {
    const place = this.#tree.place(header.name);
    if (place === undefined) return this.#addRoot(header);
    if (place.name.startsWith(whiteoutPrefix)) return this.#addWhiteout(place, header.name);
    switch (header.type) {
      case "folder":
        return this.#addFolder(place, header);
      case "file":
        this.#file = new OpenFile(this.#create(place), header, this.#tree.file(place));
        return;
      case "symbolic link":
        return this.#addSymbolicLink(place, header);
      case "hard link":
        return this.#addHardLink(place, header);
      case "device":
      case "fifo":
    }
  }

  content(bytes: Buffer): void {
    this.#file?.write(bytes);
  }

  end(): void {
    this.#file?.finish();
    this.#file = undefined;
  }

  /** After the last entry. */
  finish(): void {
    for (const [folder, time] of this.#folderTimes) {
      try {
        if (lstatSync(folder).isDirectory()) utimesSync(folder, time, time);
      } catch (error) {
        if (!hasCode(error, "ENOENT", "ENOTDIR")) throw error; // a later entry has replaced it
      }
    }
  }

  #addRoot(header: TarHeader): void {
    if (header.type !== "folder") throw refused(header.name, "the root of a layer is a folder");
    this.#describe(this.#tree.root, header);
  }

  #addFolder(place: Place, header: TarHeader): void {
    this.#tree.makeFolder(place);
    const folder = this.#tree.file(place);
    this.#describe(folder, header);
    this.#folderTimes.set(folder, header.mtime);
  }

  /** Most names are new. */
  #create(place: Place): number {
    try {
      return openSync(this.#tree.file(place), newFile, 0o600);
    } catch (error) {
      if (!hasCode(error, "EEXIST", "EISDIR", "ELOOP")) throw error;
      this.#tree.clear(place);
      return openSync(this.#tree.file(place), newFile, 0o600);
    }
  }

  #addSymbolicLink(place: Place, header: TarHeader): void {
    if (header.linkName === "") throw refused(header.name, "a symbolic link to nothing");
    this.#tree.clear(place);
    const file = this.#tree.file(place);
    symlinkSync(header.linkName, file);
    lchownSync(file, header.uid, header.gid);
    lutimesSync(file, header.mtime, header.mtime);
  }

  /** link(2) does not follow a symbolic link, it makes a second name for it. */
  #addHardLink(place: Place, header: TarHeader): void {
    const target = this.#tree.place(header.linkName);
    const there = target === undefined ? undefined : this.#tree.look(target);
    if (target === undefined || there === undefined || there.isDirectory() || isWhiteout(there)) {
      throw refused(header.name, `it is a link to ${JSON.stringify(header.linkName)}, which is no file of this layer`);
    }
    if (relativePath(target) === relativePath(place)) return;
    this.#tree.clear(place);
    linkSync(this.#tree.file(target), this.#tree.file(place));
  }

  /** A whiteout speaks of the layers below alone: what this layer itself has under the name stays. */
  #addWhiteout({ folder, name }: Place, entry: string): void {
    if (name === opaqueName) return makeOpaque(this.#tree.root, folder === "" ? "." : folder);
    if (name.startsWith(whiteoutPrefix + whiteoutPrefix)) return;
    const hidden = { folder, name: name.slice(whiteoutPrefix.length) };
    if (["", ".", ".."].includes(hidden.name)) throw refused(entry, "a whiteout without a name");
    const there = this.#tree.look(hidden);
    if (there === undefined) makeWhiteout(this.#tree.root, relativePath(hidden));
    else if (there.isDirectory()) makeOpaque(this.#tree.root, relativePath(hidden));
  }

  #describe(folder: string, header: TarHeader): void {
    chownSync(folder, header.uid, header.gid);
    chmodSync(folder, header.mode);
    addAttributes(folder, header);
  }
}

/** A file whose content is coming. */
class OpenFile {
  readonly #descriptor: number;
  readonly #header: TarHeader;
  readonly #path: string;
  /** Where the next piece of the archive goes, and how far the parts of a sparse file have come. */
  readonly #runs: Runs;

  constructor(descriptor: number, header: TarHeader, path: string) {
    this.#descriptor = descriptor;
    this.#header = header;
    this.#path = path;
    this.#runs = new Runs(header.sparse ?? { size: header.size, parts: [{ offset: 0, length: header.size }] });
  }

  write(bytes: Buffer): void {
    for (const { piece, offset } of this.#runs.place(bytes)) {
      if (piece.length >= 4096 && isZero(piece)) continue;
      for (let done = 0; done < piece.length;) {
        done += writeSync(this.#descriptor, piece, done, piece.length - done, offset + done);
      }
    }
  }

  finish(): void {
    const { uid, gid, mode, mtime, sparse, size } = this.#header;
    ftruncateSync(this.#descriptor, sparse?.size ?? size);
    // In this order: a change of the owner takes the set-user-id bit and capabilities away.
    fchownSync(this.#descriptor, uid, gid);
    fchmodSync(this.#descriptor, mode);
    addAttributes(this.#path, this.#header);
    futimesSync(this.#descriptor, mtime, mtime);
    closeSync(this.#descriptor);
  }
}

/** Where the bytes of an archive belong in a file with holes. */
class Runs {
  readonly #parts: SparseMap["parts"];
  #part = 0;
  #done = 0;

  constructor(map: SparseMap) {
    this.#parts = map.parts;
  }

  *place(bytes: Buffer): Generator<{ piece: Buffer; offset: number }> {
    for (let at = 0; at < bytes.length;) {
      const part = this.#parts[this.#part];
      if (part === undefined) return; // the archive's padding of the last part
      const piece = bytes.subarray(at, at + part.length - this.#done);
      yield { piece, offset: part.offset + this.#done };
      at += piece.length;
      this.#done += piece.length;
      if (this.#done < part.length) continue;
      this.#part++;
      this.#done = 0;
    }
  }
}

function isZero(bytes: Buffer): boolean {
  for (let at = 0; at < bytes.length; at += zeros.length) {
    const piece = bytes.subarray(at, at + zeros.length);
    if (!piece.equals(zeros.subarray(0, piece.length))) return false;
  }
  return true;
}

function addAttributes(path: string, { attributes, type }: TarHeader): void {
  for (const [name, value] of attributes) {
    if (!name.startsWith("user.") && (name !== "security.capability" || type !== "file")) continue;
    setAttribute(path, name, value);
  }
}
