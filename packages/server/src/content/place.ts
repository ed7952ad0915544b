/** Where content lies, by its digest: a folder of this machine, or a bucket of an object store. */
import type { Readable } from "node:stream";

import type { Sha256 } from "./digest.ts";

/** Both ends included, counted from 0, as in HTTP. */
export interface ByteRange {
  start: number;
  end: number;
}

/** Reads from a place on into a buffer; answers how many bytes, 0 at the end. */
export type ReadAt = (into: Uint8Array, at: number) => Promise<number>;

/** Stored content, open for reading; close it by disposing, or by reading `stream` to its end or destroying it. */
export interface OpenContent extends AsyncDisposable {
  /** Bytes. */
  readonly size: number;
  /** At most once. */
  stream(range?: ByteRange): Readable;
  /** Where it lies on this machine's disk. */
  readonly read?: ReadAt;
}

/** One content, as a list has it. */
export interface ListedContent {
  sha256: Sha256;
  /** Bytes. */
  size: number;
}

/** Disposing ends its connections. */
export interface ContentPlace extends Disposable {
  /** Takes over a whole file of this machine's disk; when it resolves the content survives a power cut. Twice does no harm. */
  take(file: string, sha256: Sha256): Promise<void>;
  /** In bytes; undefined when it is not there. */
  size(sha256: Sha256): Promise<number | undefined>;
  /** Undefined when it is not there. */
  open(sha256: Sha256): Promise<OpenContent | undefined>;
  /** No harm when it is not there. */
  remove(sha256: Sha256): Promise<void>;
  /** All that is there, in no order; of what comes or goes meanwhile nothing is sure. */
  list(): AsyncIterable<ListedContent>;
}
