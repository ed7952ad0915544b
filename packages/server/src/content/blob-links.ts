/** Signed links for blobs: whoever holds one may do what it says until it expires, and nothing else. */
import { isId } from "@lydian/kit";

import { type Sha256, sha256Of } from "./digest.ts";
import { notValid, openQuery, signedQuery } from "./signed-query.ts";

/** A blob as its uploader declares it. */
export interface BlobUpload {
  /** `bl-…` */
  blobId: string;
  sha256: Sha256;
  /** Bytes. */
  size: number;
}

/** What a link allows. `size` is in bytes. */
export type BlobLink =
  /** PUT all of it at once. */
  | ({ action: "put" } & BlobUpload)
  /** PUT part `part` of `parts`, counted from 1, which has `length` bytes. */
  | ({ action: "part"; part: number; parts: number; length: number } & BlobUpload)
  /** POST the list of parts. */
  | ({ action: "complete"; parts: number } & BlobUpload)
  | { action: "get"; blobId: string; sha256: Sha256 };

type BlobAction = BlobLink["action"];

/** For `BlobCreateResponse.multiparts`. */
export interface PartLinks {
  /** Bytes of every part but the last. */
  partLength: number;
  uploadUrls: string[];
  completionUrl: string;
}

/** How blobs are cut, in bytes. */
export interface PartSizes {
  /** Up to this size a blob is one part, whose completion is a rename. */
  largestSingle: number;
  /** The length of the parts of a larger one, until there would be more than 10,000 of them. */
  usual: number;
}

const usualSizes: PartSizes = { largestSingle: 1024 ** 3, usual: 256 * 1024 ** 2 };
const mostParts = 10_000;

/** In bytes, for every part but the last. */
export function partLengthOf(size: number, sizes: PartSizes = usualSizes): number {
  if (size <= sizes.largestSingle) return Math.max(size, 1);
  return Math.max(sizes.usual, Math.ceil(size / mostParts));
}

/** Makes and checks links. Pure but for the clock. */
export class BlobLinks {
  readonly #key: Uint8Array;
  readonly #now: () => number;
  readonly #sizes: PartSizes;

  /** `key`: 32 bytes or more that only this server knows and keeps over restarts. `now`: milliseconds since the epoch. */
  constructor(key: Uint8Array, now: () => number, sizes: PartSizes = usualSizes) {
    this.#key = key;
    this.#now = now;
    this.#sizes = sizes;
  }

  /** For `multiparts`, which Python clients need: for a lone PUT they accept only hosts that they know. */
  uploadInParts(base: string, upload: BlobUpload, lifeMs: number): PartLinks {
    const partLength = partLengthOf(upload.size, this.#sizes);
    const parts = Math.max(1, Math.ceil(upload.size / partLength)); // an empty blob has one, empty part
    return {
      partLength,
      uploadUrls: Array.from({ length: parts }, (_, i) => {
        const length = Math.min(partLength, upload.size - i * partLength);
        return this.link(base, { action: "part", part: i + 1, parts, length, ...upload }, lifeMs);
      }),
      completionUrl: this.link(base, { action: "complete", parts, ...upload }, lifeMs),
    };
  }

  /** For `upload_url`, which JavaScript and Go clients need. */
  upload(base: string, upload: BlobUpload, lifeMs: number): string {
    return this.link(base, { action: "put", ...upload }, lifeMs);
  }

  /** For `BlobGetResponse.download_url`. */
  download(base: string, blob: { blobId: string; sha256: Sha256 }, lifeMs: number): string {
    return this.link(base, { action: "get", blobId: blob.blobId, sha256: blob.sha256 }, lifeMs);
  }

  /** `base` has no slash at its end. It is not signed: one server has several addresses. */
  link(base: string, { blobId, ...fields }: BlobLink, lifeMs: number): string {
    const query = signedQuery(this.#key, purposeOf(blobId), fields, this.#now() + lifeMs);
    return `${base}/blobs/${blobId}?${query.toString()}`;
  }

  /**
   * What a request may do. Throws permissionDenied for a link that this server did not make or for another action than
   * those given, gone for one that has expired.
   */
  verify<A extends BlobAction>(
    blobId: string,
    query: Readonly<Record<string, unknown>>,
    actions: readonly A[],
  ): Extract<BlobLink, { action: A }> {
    if (!isId("bl", blobId)) throw notValid();
    const link = linkOf(blobId, openQuery(this.#key, purposeOf(blobId), query, this.#now()));
    const isAsked = (asked: BlobLink): asked is Extract<BlobLink, { action: A }> =>
      (actions as readonly BlobAction[]).includes(asked.action);
    if (!isAsked(link)) throw notValid();
    return link;
  }
}

const purposeOf = (blobId: string): string => `blob-link/1\n${blobId}`;

/** The fields of a link whose signature is right. */
function linkOf(blobId: string, fields: Readonly<Record<string, string>>): BlobLink {
  const number = (name: string): number => Number(fields[name]);
  const sha256 = sha256Of(fields["sha256"] ?? "");
  const action = fields["action"] as BlobAction;
  switch (action) {
    case "get":
      return { action, blobId, sha256 };
    case "put":
      return { action, blobId, sha256, size: number("size") };
    case "complete":
      return { action, blobId, sha256, size: number("size"), parts: number("parts") };
    case "part":
      return {
        action,
        blobId,
        sha256,
        size: number("size"),
        part: number("part"),
        parts: number("parts"),
        length: number("length"),
      };
  }
}
