/** What refers to content, and what was found to be referred to by nothing: ports of the store. */
import type { Mount } from "./stored.ts";

/** Some of a list, and where to go on; undefined behind the last. */
export interface Page<T, Place> {
  readonly found: readonly T[];
  readonly next: Place | undefined;
}

export interface PiecePlace {
  volumeId: string;
  path: string;
  since: number;
}

/** Each list from behind a place on, in an order of its own; an empty place is before all. */
export interface ContentUses {
  /** Digests of what files of volumes are made of, in whatever state. */
  pieces(after: PiecePlace, limit: number): Promise<Page<string, PiecePlace>>;
  /** Those inputs, as the wire has them, that may name a blob. */
  inputs(after: number): Promise<Page<Uint8Array, number>>;
  /** Those results. */
  results(after: number): Promise<Page<Uint8Array, number>>;
  /** Blobs that items of generators are in. */
  chunks(
    after: { callId: string; index: number },
    limit: number,
  ): Promise<Page<string, { callId: string; index: number }>>;
  /** Results of what is ended by and by. */
  endings(): Promise<Uint8Array[]>;
  blobs(after: string, limit: number): Promise<Page<{ id: string; sha256: string }, string>>;
  mounts(after: string, limit: number): Promise<Page<Mount, string>>;
}

export interface UnneededThings {
  all(): Promise<{ id: string; since: number }[]>;
  /** Anew for those that are there. */
  add(ids: readonly string[], since: number): Promise<void>;
  remove(ids: readonly string[]): Promise<void>;
}
