/** Writes a plain layer that leads from a state of a volume to another: decides where each file's content comes from. */
import { open, type FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";

import * as wire from "@lydian/contract/worker";
import { nameOnDisk } from "@lydian/kit/file-names";

import type { FileContent, LayerPart } from "./layer-batch.ts";
import type { LayerMaker } from "./layer-maker.ts";
import type { PieceReader } from "./piece-reader.ts";
import type { Stack } from "./stack.ts";
import { pieceBytes } from "./upload.ts";

/** A file that lies somewhere already and never changes; `isPlain` when it lies in a layer. */
export interface KnownFile {
  readonly file: string;
  readonly isPlain: boolean;
}

export interface LayerSource {
  /** The state that it leads from. */
  readonly base: Stack;
  knownFile(entry: wire.VolumeEntry): KnownFile | undefined;
  readonly pieces: PieceReader;
  readonly maker: LayerMaker;
}

/** How many paths, or bytes of their content, are made at a time. */
const mostParts = 1000;
const mostBytes = 8 * 1024 * 1024;

/** Smaller files are not more than one piece, and made by the thread. */
const smallBytes = 1024 * 1024;

/** Of one large file. */
const piecesAtOnce = 4;

export class LayerWriter {
  readonly #folder: string;
  readonly #source: LayerSource;
  readonly #removed = new Set<string>();
  #parts: LayerPart[] = [];
  /** By path, of the parts that have one. */
  #entries = new Map<string, wire.VolumeEntry>();
  #bytes = 0;
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
    await this.#make();
    for (const path of this.#removed) {
      const above = dirname(path);
      if (this.#removed.has(above)) continue; // the folder goes as a whole
      await this.#put({ kind: "gone", path });
    }
    await this.#make();
  }

  async #write(entry: wire.VolumeEntry): Promise<void> {
    const { path, mode, target } = entry;
    switch (entry.kind) {
      case wire.VolumeEntry_Kind.FOLDER:
        return await this.#put({ kind: "folder", path, mode });
      case wire.VolumeEntry_Kind.LINK:
        return await this.#put({ kind: "link", path, target });
      case wire.VolumeEntry_Kind.FILE: {
        const known = this.#source.knownFile(entry);
        if (known === undefined) return await this.#fetch(entry);
        this.#entries.set(path, entry);
        return await this.#put({ kind: "known", path, ...known });
      }
      case wire.VolumeEntry_Kind.KIND_UNSPECIFIED:
        throw new Error(`${path} is of no known kind`);
    }
  }

  async #put(part: LayerPart): Promise<void> {
    this.#parts.push(part);
    if (part.kind === "content") this.#bytes += part.bytes.length;
    if (this.#parts.length >= mostParts || this.#bytes >= mostBytes) await this.#make();
  }

  async #make(): Promise<void> {
    const [parts, entries] = [this.#parts, this.#entries];
    if (parts.length === 0) return;
    [this.#parts, this.#entries, this.#bytes] = [[], new Map(), 0];
    const { base, maker } = this.#source;
    const left = await maker.read({ folder: this.#folder, base, parts });
    for (const i of left) {
      const entry = entries.get(parts[i]?.path ?? "");
      if (entry === undefined) throw new Error(`${parts[i]?.path} could not be made`);
      await this.#fetch(entry);
    }
  }

  async #fetch(entry: wire.VolumeEntry): Promise<void> {
    const size = Number(entry.size);
    const chunks: Buffer[] = [];
    if (size < smallBytes)
      for (const piece of entry.pieces) for await (const chunk of this.#read(piece)) chunks.push(chunk);
    const content: FileContent = {
      ...{ kind: "content", path: entry.path, mode: entry.mode, mtime: Number(entry.mtimeUs) },
      ...{ size: size < smallBytes ? size : 0, bytes: Buffer.concat(chunks) },
    };
    await this.#put(content);
    if (size < smallBytes) return;
    await this.#make();
    await this.#fill(entry);
  }

  /** A large file, whose folder is there; and so is an empty file in its place. */
  async #fill({ path, size, mtimeUs, pieces }: wire.VolumeEntry): Promise<void> {
    await using handle = await open(nameOnDisk(join(this.#folder, path)), "r+");
    for (let first = 0; first < pieces.length; first += piecesAtOnce) {
      const some = pieces.slice(first, first + piecesAtOnce);
      await Promise.all(some.map((piece, i) => this.#fillPiece(handle, piece, (first + i) * pieceBytes)));
    }
    await handle.truncate(Number(size));
    await handle.utimes(Number(mtimeUs) / 1_000_000, Number(mtimeUs) / 1_000_000);
  }

  async #fillPiece(handle: FileHandle, piece: wire.VolumePiece, start: number): Promise<void> {
    let at = start;
    for await (const chunk of this.#read(piece)) {
      await handle.write(chunk, 0, chunk.length, at);
      at += chunk.length;
    }
  }

  async *#read({ sha256, offset, length }: wire.VolumePiece): AsyncGenerator<Buffer> {
    if (length === 0n) return;
    const range = { offset: Number(offset), length: Number(length) };
    yield* this.#source.pieces.read(Buffer.from(sha256).toString("hex"), range);
  }
}
