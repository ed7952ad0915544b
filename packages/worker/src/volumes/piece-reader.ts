/** Reads pieces of files from the server: large ones as a stream, small ones, which lie together, many at a time. */
import type { VolumeServer } from "./volume-server.ts";
import { pieceBytes } from "./upload.ts";

/** A smaller piece lies among others that are wanted as well. */
const largeBytes = 1024 * 1024;

export class PieceReader {
  readonly #server: VolumeServer;
  #last: { key: string; bytes: Promise<Buffer> } | undefined;

  constructor(server: VolumeServer) {
    this.#server = server;
  }

  async *read(sha256: string, range: { offset: number; length: number }): AsyncGenerator<Buffer> {
    const { offset, length } = range;
    let left = length;
    if (length >= largeBytes) {
      for await (const chunk of await this.#server.get(sha256, range)) {
        left -= (chunk as Buffer).length;
        yield chunk as Buffer;
      }
    } else {
      const first = Math.floor(offset / pieceBytes) * pieceBytes;
      const block = await this.#block(sha256, first);
      const found = block.subarray(offset - first, offset - first + length);
      left -= found.length;
      yield found;
    }
    if (left !== 0) throw new Error(`content ${sha256} ends ${left} bytes too early`);
  }

  #block(sha256: string, offset: number): Promise<Buffer> {
    const key = `${sha256} ${offset}`;
    if (this.#last?.key !== key) this.#last = { key, bytes: this.#fetch(sha256, offset) };
    return this.#last.bytes;
  }

  async #fetch(sha256: string, offset: number): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for await (const chunk of await this.#server.get(sha256, { offset, length: pieceBytes }))
      chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
  }
}
