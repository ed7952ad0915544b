/**
 * Writes a plain layer that leads from a state of a volume to another. Of small files, which may be hundreds of thousands,
 * each is some short calls: waiting for each call would take ten times as long.
 */
import { closeSync, fchmodSync, ftruncateSync, futimesSync, linkSync, openSync, writeSync } from "node:fs";
import { chmod, type FileHandle, mkdir, open, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";

import * as wire from "@lydian/contract/worker";
import { hasCode } from "@lydian/kit";

import { makeWhiteout } from "../layers/index.ts";
import type { PieceReader } from "./piece-reader.ts";
import { shownAt, type Stack, statsOf } from "./stack.ts";
import { pieceBytes } from "./upload.ts";

export interface LayerSource {
  /** The state that it leads from. */
  readonly base: Stack;
  /** Where this file lies already, and never changes. */
  fileOf(entry: wire.VolumeEntry): string | undefined;
  readonly pieces: PieceReader;
}

export class LayerWriter {
  readonly #folder: string;
  readonly #source: LayerSource;
  readonly #made = new Set<string>([""]);
  readonly #removed = new Set<string>();
  entries = 0;

  /** `folder` is the layer's: empty, and nobody else's. */
  constructor(folder: string, source: LayerSource) {
    this.#folder = folder;
    this.#source = source;
  }

  async add({ change }: wire.VolumeChange): Promise<void> {
    if (change.case === "removed") this.#removed.add(change.value);
    else if (change.case === "written") await this.#write(change.value);
    if (change.case !== "head") this.entries++;
  }

  /** What is gone can be told only when all that is there is known. */
  async finish(): Promise<void> {
    for (const path of this.#removed) {
      const above = dirname(path) === "." ? "" : dirname(path);
      if (this.#removed.has(above)) continue; // the folder goes as a whole
      if (shownAt(this.#source.base, path) === undefined) continue;
      const stats = statsOf(join(this.#folder, above));
      if (stats !== undefined && !stats.isDirectory()) continue; // a file in the folder's place hides it
      await this.#makeFolder(above);
      makeWhiteout(this.#folder, path);
    }
  }

  async #write(entry: wire.VolumeEntry): Promise<void> {
    const { path, mode, target } = entry;
    const file = join(this.#folder, path);
    switch (entry.kind) {
      case wire.VolumeEntry_Kind.FOLDER:
        await this.#makeFolder(path);
        await chmod(file, mode);
        return;
      case wire.VolumeEntry_Kind.LINK:
        await this.#makeFolder(folderOf(path));
        await symlink(target, file);
        return;
      case wire.VolumeEntry_Kind.FILE:
        await this.#makeFolder(folderOf(path));
        if (this.#link(entry, file)) return;
        await (entry.size < smallBytes ? this.#fillSmall(entry, file) : this.#fill(entry, file));
        return;
      case wire.VolumeEntry_Kind.KIND_UNSPECIFIED:
        throw new Error(`${path} is of no known kind`);
    }
  }

  #link(entry: wire.VolumeEntry, file: string): boolean {
    const known = this.#source.fileOf(entry);
    if (known === undefined) return false;
    try {
      linkSync(known, file);
      return true;
    } catch (error) {
      if (hasCode(error, "ENOENT", "ENOTDIR", "EMLINK")) return false;
      throw error;
    }
  }

  async #fillSmall({ mode, size, mtimeUs, pieces }: wire.VolumeEntry, file: string): Promise<void> {
    const content: Buffer[] = [];
    for (const { sha256, offset, length } of pieces) {
      if (length === 0n) continue;
      const range = { offset: Number(offset), length: Number(length) };
      for await (const chunk of this.#source.pieces.read(Buffer.from(sha256).toString("hex"), range))
        content.push(chunk);
    }
    const descriptor = openSync(file, "wx", 0o600);
    try {
      writeWhole(descriptor, Buffer.concat(content));
      ftruncateSync(descriptor, Number(size));
      fchmodSync(descriptor, mode);
      futimesSync(descriptor, secondsOf(mtimeUs), secondsOf(mtimeUs));
    } finally {
      closeSync(descriptor);
    }
  }

  async #fill({ mode, size, mtimeUs, pieces }: wire.VolumeEntry, file: string): Promise<void> {
    await using handle = await open(file, "wx", 0o600);
    for (let first = 0; first < pieces.length; first += piecesAtOnce) {
      const some = pieces.slice(first, first + piecesAtOnce);
      await Promise.all(some.map((piece, i) => this.#fillPiece(handle, piece, (first + i) * pieceBytes)));
    }
    await handle.truncate(Number(size));
    await handle.chmod(mode);
    await handle.utimes(secondsOf(mtimeUs), secondsOf(mtimeUs));
  }

  async #fillPiece(handle: FileHandle, { sha256, offset, length }: wire.VolumePiece, start: number): Promise<void> {
    if (length === 0n) return;
    const range = { offset: Number(offset), length: Number(length) };
    let at = start;
    for await (const chunk of this.#source.pieces.read(Buffer.from(sha256).toString("hex"), range)) {
      await handle.write(chunk, 0, chunk.length, at);
      at += chunk.length;
    }
  }

  /** With the rights that it has below, for what is topmost says what a folder is like. */
  async #makeFolder(path: string): Promise<void> {
    if (this.#made.has(path)) return;
    await this.#makeFolder(folderOf(path));
    const folder = join(this.#folder, path);
    await mkdir(folder, { recursive: true });
    const shown = shownAt(this.#source.base, path);
    const below = shown?.kind === "folder" ? statsOf(shown.parts[0]?.folder ?? "") : undefined;
    await chmod(folder, below === undefined ? 0o755 : Number(below.mode) & 0o7777);
    this.#made.add(path);
  }
}

/** Not more than one piece. */
const smallBytes = BigInt(1024 * 1024);

/** Of one large file. */
const piecesAtOnce = 4;

const secondsOf = (microseconds: bigint): number => Number(microseconds) / 1_000_000;

function writeWhole(descriptor: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length;) at += writeSync(descriptor, bytes, at);
}

const folderOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf("/")));
