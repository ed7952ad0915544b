/** Reads files of uppers in a thread of its own (pack-thread.ts). */
import { ThreadReader } from "../layers/thread-reader.ts";
import type { FileToPack, Packed, PieceRead, PieceToRead } from "./pack.ts";

export type ToPack =
  | { readonly kind: "pack"; readonly files: readonly FileToPack[] }
  | { readonly kind: "piece"; readonly piece: PieceToRead };

export class PackReader implements AsyncDisposable {
  readonly #thread = new ThreadReader<ToPack, Packed | PieceRead | undefined>(import.meta.url, "pack-thread");

  async pack(files: readonly FileToPack[]): Promise<Packed> {
    return (await this.#thread.read({ kind: "pack", files })) as Packed;
  }

  /** Undefined when the file has changed meanwhile. */
  async piece(piece: PieceToRead): Promise<PieceRead | undefined> {
    return (await this.#thread.read({ kind: "piece", piece })) as PieceRead | undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#thread[Symbol.asyncDispose]();
  }
}
