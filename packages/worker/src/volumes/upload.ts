/**
 * Gives the server the content of files. Large files go in pieces of 8 MiB, each a content of its own, so that what did not
 * change is not sent again; small ones go together, so that ten thousand of them are not ten thousand syncs of a disk.
 */
import type { WrittenPath } from "./difference.ts";
import type { PieceRead } from "./pack.ts";
import type { PackReader } from "./pack-reader.ts";
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
  readonly #rooms: SharedArrayBuffer[] = [];
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
    const packed = await this.#packs.pack(asked);
    const sha256 = Buffer.from(packed.sha256);
    const sizes = new Map(files.map(({ signature, size }) => [signature, size]));
    for (const { signature, offset, length } of packed.files) {
      const piece = length === 0 ? hole : { sha256, offset: BigInt(offset), length: BigInt(length) };
      this.#known.set(signature, sizes.get(signature) === 0 ? [] : [piece]);
    }
    if (packed.bytes.length > 0) await this.#send(sha256, packed.bytes);
  }

  async #addLarge({ file, signature, isFixed, size }: WrittenPath): Promise<void> {
    const pieces: Piece[] = [];
    for (let at = 0; at < size; at += pieceBytes) {
      const memory = await this.#room();
      const length = Math.min(pieceBytes, size - at);
      const read = await this.#packs.piece({ file: { file, signature, isFixed, size }, at, length, memory });
      if (read === undefined || read.length === 0) this.#rooms.push(memory);
      if (read === undefined) return;
      pieces.push(read.length === 0 ? hole : await this.#addPiece(read, memory));
    }
    this.#known.set(signature, pieces);
  }

  async #addPiece({ sha256, length }: PieceRead, memory: SharedArrayBuffer): Promise<Piece> {
    const digest = Buffer.from(sha256);
    await this.#send(digest, Buffer.from(memory, 0, length), () => this.#rooms.push(memory));
    return { sha256: digest, offset: 0n, length: BigInt(length) };
  }

  /** Memory for a piece, used again when that is sent: new memory costs more than to read and send it. */
  async #room(): Promise<SharedArrayBuffer> {
    while (this.#underWay.size >= mostUnderWay) await Promise.race(this.#underWay);
    return this.#rooms.pop() ?? new SharedArrayBuffer(pieceBytes);
  }

  async #send(sha256: Buffer, content: Uint8Array, sent?: () => void): Promise<void> {
    while (this.#underWay.size >= mostUnderWay) await Promise.race(this.#underWay);
    if (this.#failure !== undefined) throw this.#failure;
    const sending = this.#give(sha256.toString("hex"), content, sent !== undefined)
      .catch((error: unknown) => {
        this.#failure ??= error instanceof Error ? error : new Error(String(error));
      })
      .finally(() => {
        this.#underWay.delete(sending);
        sent?.();
      });
    this.#underWay.add(sending);
  }

  async #give(sha256: string, content: Uint8Array, mayBeThere: boolean): Promise<void> {
    if (mayBeThere && (await this.#server.has(sha256))) return;
    await this.#server.put(sha256, content);
  }
}
