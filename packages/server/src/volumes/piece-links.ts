/** Links by which clients get pieces of files and give blocks, each good for that alone and for a while. */
import { type Sha256, sha256Of } from "../content/digest.ts";
import { notValid, openQuery, signedQuery } from "../content/signed-query.ts";
import { type Piece, pieceBytes, type KeptEntry } from "../domain/volume.ts";

/** A part of a piece, and zeros after it. */
export interface PieceRange extends Piece {
  /** How many. */
  zeros: number;
}

/** How long a link works: as long as a large file may take. */
export const pieceLinkLifeMs = 24 * 3_600_000;

const purpose = "volume-piece/1";

export class PieceLinks {
  readonly #key: Uint8Array;
  readonly #now: () => number;

  /** `key`: 32 bytes or more that only this server knows and keeps over restarts. `now`: milliseconds since the epoch. */
  constructor(key: Uint8Array, now: () => number) {
    this.#key = key;
    this.#now = now;
  }

  /** `base` has no slash at its end. */
  get(base: string, { sha256, offset, length, zeros }: PieceRange, lifeMs: number): string {
    return this.#link(base, { action: "get", sha256, offset, length, zeros }, lifeMs);
  }

  put(base: string, sha256: string, lifeMs: number): string {
    return this.#link(base, { action: "put", sha256 }, lifeMs);
  }

  openGet(query: Readonly<Record<string, unknown>>): PieceRange {
    const fields = this.#open(query, "get");
    const number = (name: string): number => Number(fields[name]);
    return {
      sha256: fields["sha256"] ?? "",
      offset: number("offset"),
      length: number("length"),
      zeros: number("zeros"),
    };
  }

  /** What the block is to have as its digest. */
  openPut(query: Readonly<Record<string, unknown>>): Sha256 {
    return sha256Of(this.#open(query, "put")["sha256"] ?? "");
  }

  #link(base: string, fields: Readonly<Record<string, string | number>>, lifeMs: number): string {
    return `${base}/volume-pieces?${signedQuery(this.#key, purpose, fields, this.#now() + lifeMs).toString()}`;
  }

  #open(query: Readonly<Record<string, unknown>>, action: string): Readonly<Record<string, string>> {
    const fields = openQuery(this.#key, purpose, query, this.#now());
    if (fields["action"] !== action) throw notValid();
    return fields;
  }
}

/**
 * The range of each piece that a range of a file touches. Where the client fills up with zeros by itself, those at a
 * piece's end are left out.
 */
export function rangesOf(
  { pieces }: Pick<KeptEntry, "pieces">,
  range: { start: number; length: number },
  clientPads: boolean,
): PieceRange[] {
  const end = range.start + range.length;
  const ranges: PieceRange[] = [];
  for (let at = range.start; at < end;) {
    const i = Math.floor(at / pieceBytes);
    const pieceEnd = Math.min(end, (i + 1) * pieceBytes);
    const piece = pieces[i] ?? { sha256: "", offset: 0, length: 0 };
    const inside = at - i * pieceBytes;
    const wanted = pieceEnd - at;
    const length = Math.max(0, Math.min(piece.length - inside, wanted));
    const zeros = clientPads ? 0 : wanted - length;
    ranges.push({ sha256: length === 0 ? "" : piece.sha256, offset: piece.offset + inside, length, zeros });
    at = pieceEnd;
  }
  return ranges;
}
