/** A piece of what a call's code gives while it runs: an item of a generator. */
import type { DataFormat } from "@lydian/contract";

export interface Chunk {
  /** Position in the stream, from 1, without gaps. */
  index: number;
  dataFormat: DataFormat;
  /** The item itself, or the blob that holds it. */
  data: Uint8Array | { blobId: string };
}
