/** Signed links for blobs: whoever holds one may do what it says until it expires, and nothing else. */
import { createHmac, timingSafeEqual } from "node:crypto";

import { isId } from "@lydian/kit";

import { fail } from "../errors.ts";
import { type Sha256, sha256Of } from "./digest.ts";

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
  link(base: string, link: BlobLink, lifeMs: number): string {
    const query = new URLSearchParams(fieldsOf(link, this.#now() + lifeMs));
    query.set("sig", this.#sign(link.blobId, query));
    return `${base}/blobs/${link.blobId}?${query.toString()}`;
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
    const { sig, ...fields } = query;
    const refused = fail("permissionDenied", "This link is not valid.", { hint: "Ask the server for a new one." });
    const texts = Object.entries(fields).filter((field): field is [string, string] => typeof field[1] === "string");
    if (typeof sig !== "string" || texts.length !== Object.keys(fields).length || !isId("bl", blobId)) throw refused;
    const expected = Buffer.from(this.#sign(blobId, new URLSearchParams(texts)));
    const given = Buffer.from(sig);
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) throw refused;
    const link = linkOf(blobId, fields as Record<string, string>);
    const isAsked = (asked: BlobLink): asked is Extract<BlobLink, { action: A }> =>
      (actions as readonly BlobAction[]).includes(asked.action);
    if (!isAsked(link)) throw refused;
    if (Number(fields["until"]) <= this.#now()) {
      throw fail("gone", "This link has expired.", { hint: "Ask the server for a new one." });
    }
    return link;
  }

  #sign(blobId: string, query: URLSearchParams): string {
    const sorted = new URLSearchParams(query);
    sorted.sort();
    return createHmac("sha256", this.#key).update(`blob-link/1\n${blobId}\n${sorted.toString()}`).digest("base64url");
  }
}

function fieldsOf(link: BlobLink, until: number): Record<string, string> {
  const { blobId: _, ...fields } = link;
  return Object.fromEntries(
    Object.entries({ ...fields, until: Math.ceil(until) }).map(([name, value]) => [name, String(value)]),
  );
}

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
