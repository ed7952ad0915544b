/**
 * Gives the server the content of files. Large files go in pieces of 8 MiB, each a content of its own, so that what did not
 * change is not sent again; small ones go together, so that ten thousand of them are not ten thousand syncs of a disk.
 */
import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";

import { hasCode } from "@lydian/kit";

import type { WrittenPath } from "./difference.ts";
import { lengthWithoutZeros } from "./pack.ts";
import type { PackReader } from "./pack-reader.ts";
import { signatureOf } from "./stack.ts";
import type { VolumeServer } from "./volume-server.ts";

/** Of a file; the same number as the server's and the clients'. */
export const pieceBytes = 8 * 1024 * 1024;

export interface Piece {
  readonly sha256: Buffer;
  readonly offset: bigint;
  readonly length: bigint;
}

/** A piece that is all zeros. */
const hole: Piece = { sha256: Buffer.alloc(0), offset: 0n, length: 0n };

/** Larger files have pieces of their own, at least for the most part. */
const smallBytes = 1024 * 1024;

/** Of small files that go together; more would keep a thread too long. */
const mostTogether = 4000;

/** How many pieces are under way at a time. */
const mostUnderWay = 4;

export class Uploads {
  readonly #server: VolumeServer;
  readonly #packs: PackReader;
  /** By signature: the same file need not be read again. */
  readonly #known = new Map<string, Piece[]>();
  readonly #underWay = new Set<Promise<void>>();
  #failure: Error | undefined;

  constructor(server: VolumeServer, packs: PackReader) {
    this.#server = server;
    this.#packs = packs;
  }

  /** The pieces of a file that was uploaded as it is now. */
  piecesOf({ signature }: WrittenPath): readonly Piece[] | undefined {
    return this.#known.get(signature);
  }

  /** Files that were not uploaded as they are. */
  missing(paths: Iterable<WrittenPath>): WrittenPath[] {
    return [...paths].filter(({ kind, signature }) => kind === "file" && !this.#known.has(signature));
  }

  /** Uploads files unless they are known as they are; one that changes while it is read is left for another time. */
  async add(files: Iterable<WrittenPath>): Promise<void> {
    let together: WrittenPath[] = [];
    let bytes = 0;
    for (const file of this.missing(files)) {
      if (file.size >= smallBytes) {
        await this.#addLarge(file);
        continue;
      }
      if (bytes + file.size > pieceBytes || together.length === mostTogether) {
        await this.#addSmall(together);
        [together, bytes] = [[], 0];
      }
      together.push(file);
      bytes += file.size;
    }
    if (together.length > 0) await this.#addSmall(together);
  }

  /** Resolves when all is on the server's disk. */
  async finish(): Promise<void> {
    await Promise.all(this.#underWay);
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #addSmall(files: readonly WrittenPath[]): Promise<void> {
    const asked = files.map(({ file, signature, isFixed, size }) => ({ file, signature, isFixed, size }));
    const packed = await this.#packs.read(asked);
    const sha256 = Buffer.from(packed.sha256);
    const sizes = new Map(files.map(({ signature, size }) => [signature, size]));
    for (const { signature, offset, length } of packed.files) {
      const piece = length === 0 ? hole : { sha256, offset: BigInt(offset), length: BigInt(length) };
      this.#known.set(signature, sizes.get(signature) === 0 ? [] : [piece]);
    }
    if (packed.bytes.length > 0) await this.#send(sha256, packed.bytes, false);
  }

  async #addLarge({ file, signature, isFixed }: WrittenPath): Promise<void> {
    let handle: FileHandle;
    try {
      handle = await open(file, "r");
    } catch (error) {
      if (hasCode(error, "ENOENT", "ENOTDIR")) return; // gone meanwhile
      throw error;
    }
    await using opened = handle;
    const before = await opened.stat({ bigint: true });
    if (!before.isFile() || signatureOf(before, isFixed) !== signature) return;
    const size = Number(before.size);
    const pieces: Piece[] = [];
    for (let at = 0; at < size; at += pieceBytes) {
      const bytes = await readAt(opened, at, Math.min(pieceBytes, size - at));
      if (bytes === undefined) return;
      pieces.push(await this.#addPiece(bytes));
    }
    if (signatureOf(await opened.stat({ bigint: true }), isFixed) === signature) this.#known.set(signature, pieces);
  }

  async #addPiece(bytes: Buffer): Promise<Piece> {
    const content = bytes.subarray(0, lengthWithoutZeros(bytes));
    if (content.length === 0) return hole;
    const sha256 = createHash("sha256").update(content).digest();
    await this.#send(sha256, content, true);
    return { sha256, offset: 0n, length: BigInt(content.length) };
  }

  async #send(sha256: Buffer, content: Uint8Array, mayBeThere: boolean): Promise<void> {
    while (this.#underWay.size >= mostUnderWay) await Promise.race(this.#underWay);
    if (this.#failure !== undefined) throw this.#failure;
    const sending = this.#give(sha256.toString("hex"), content, mayBeThere)
      .catch((error: unknown) => {
        this.#failure ??= error instanceof Error ? error : new Error(String(error));
      })
      .finally(() => this.#underWay.delete(sending));
    this.#underWay.add(sending);
  }

  async #give(sha256: string, content: Uint8Array, mayBeThere: boolean): Promise<void> {
    if (mayBeThere && (await this.#server.has(sha256))) return;
    await this.#server.put(sha256, content);
  }
}

/** Undefined when the file has become shorter. */
async function readAt(handle: FileHandle, at: number, length: number): Promise<Buffer | undefined> {
  const bytes = Buffer.allocUnsafe(length);
  for (let read = 0; read < length;) {
    const { bytesRead } = await handle.read(bytes, read, length - read, at + read);
    if (bytesRead === 0) return undefined;
    read += bytesRead;
  }
  return bytes;
}
