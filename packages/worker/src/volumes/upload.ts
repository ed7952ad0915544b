/**
 * Gives the server the content of files. Large files go in pieces of 8 MiB, each a content of its own, so that what did not
 * change is not sent again; small ones go together, so that ten thousand of them are not ten thousand syncs of a disk.
 */
import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";

import { hasCode } from "@lydian/kit";

import type { WrittenPath } from "./difference.ts";
import { signatureOf } from "./stack.ts";
import type { VolumeServer } from "./volume-server.ts";

/** Of a file; the same number as the server's and the clients'. */
export const pieceBytes = 8 * 1024 * 1024;

export interface Piece {
  readonly sha256: Buffer;
  readonly offset: bigint;
  readonly length: bigint;
}

/** How many pieces are under way at a time. */
const mostUnderWay = 4;

export class Uploads {
  readonly #server: VolumeServer;
  /** By signature: the same file need not be read again. */
  readonly #known = new Map<string, Piece[]>();
  readonly #underWay = new Set<Promise<void>>();
  #pack: { chunks: Buffer[]; bytes: number; users: { pieces: Piece[]; at: number; offset: number; length: number }[] } =
    newPack();
  #failure: Error | undefined;

  constructor(server: VolumeServer) {
    this.#server = server;
  }

  /** The pieces of a file that was uploaded as it is now. */
  piecesOf({ signature }: WrittenPath): readonly Piece[] | undefined {
    return this.#known.get(signature);
  }

  /** Uploads a file unless it is known as it is; a file that changes while it is read is left for another time. */
  async add({ file, signature, isFixed }: WrittenPath): Promise<void> {
    if (this.#known.has(signature)) return;
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
      await this.#addPiece(pieces, bytes);
    }
    if (signatureOf(await opened.stat({ bigint: true }), isFixed) === signature) this.#known.set(signature, pieces);
  }

  /** Resolves when all is on the server's disk. */
  async finish(): Promise<void> {
    if (this.#pack.bytes > 0) await this.#sendPack();
    await Promise.all(this.#underWay);
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #addPiece(pieces: Piece[], bytes: Buffer): Promise<void> {
    const length = lengthWithoutZeros(bytes);
    const content = bytes.subarray(0, length);
    if (length === 0) {
      pieces.push({ sha256: Buffer.alloc(0), offset: 0n, length: 0n });
    } else if (bytes.length === pieceBytes) {
      const sha256 = createHash("sha256").update(content).digest();
      pieces.push({ sha256, offset: 0n, length: BigInt(length) });
      await this.#send(sha256, content, true);
    } else {
      if (this.#pack.bytes + length > pieceBytes) await this.#sendPack();
      const { chunks, bytes: offset, users } = this.#pack;
      chunks.push(content);
      users.push({ pieces, at: pieces.length, offset, length });
      pieces.push({ sha256: Buffer.alloc(0), offset: 0n, length: 0n }); // known when the pack is full
      this.#pack.bytes += length;
    }
  }

  async #sendPack(): Promise<void> {
    const { chunks, users } = this.#pack;
    this.#pack = newPack();
    const content = Buffer.concat(chunks);
    const sha256 = createHash("sha256").update(content).digest();
    for (const { pieces, at, offset, length } of users) {
      pieces[at] = { sha256, offset: BigInt(offset), length: BigInt(length) };
    }
    await this.#send(sha256, content, false);
  }

  async #send(sha256: Buffer, content: Buffer, mayBeThere: boolean): Promise<void> {
    while (this.#underWay.size >= mostUnderWay) await Promise.race(this.#underWay);
    if (this.#failure !== undefined) throw this.#failure;
    const sending = this.#give(sha256.toString("hex"), content, mayBeThere)
      .catch((error: unknown) => {
        this.#failure ??= error instanceof Error ? error : new Error(String(error));
      })
      .finally(() => this.#underWay.delete(sending));
    this.#underWay.add(sending);
  }

  async #give(sha256: string, content: Buffer, mayBeThere: boolean): Promise<void> {
    if (mayBeThere && (await this.#server.has(sha256))) return;
    await this.#server.put(sha256, content);
  }
}

function newPack(): { chunks: Buffer[]; bytes: number; users: never[] } {
  return { chunks: [], bytes: 0, users: [] };
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

const zeros = Buffer.alloc(64 * 1024);

function lengthWithoutZeros(bytes: Buffer): number {
  let end = bytes.length;
  while (end >= zeros.length && bytes.subarray(end - zeros.length, end).equals(zeros)) end -= zeros.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  return end;
}
