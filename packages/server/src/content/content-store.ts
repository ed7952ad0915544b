/**
 * Content by its SHA-256: whole files that never change. They are hashed and checked on this machine's disk before their place
 * takes them.
 *
 * Which of them are still needed is kept elsewhere (collect.ts); but whoever is told here that something is there can rely on it.
 */
import { randomBytes } from "node:crypto";
import { mkdir, open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";

import { removeBelow } from "@lydian/kit";

import { fail } from "../errors.ts";
import { type Sha256, sha256Of } from "./digest.ts";
import { DiskPlace } from "./disk-place.ts";
import type { ContentPlace, ListedContent, OpenContent } from "./place.ts";
import { type Body, writeBody } from "./write-body.ts";

export interface PutOptions {
  /** What the body must have; anything else is refused with invalidArgument and leaves no trace. */
  expectedSha256?: string;
  /** In bytes: exactly this many. */
  expectedSize?: number;
  /** In bytes; a longer body is refused as soon as that is known. */
  mostBytes?: number;
  /** Also answer the MD5, for clients that want it. */
  md5?: boolean;
}

export interface PutResult {
  sha256: Sha256;
  /** Bytes. */
  size: number;
  /** It was stored before. */
  existed: boolean;
  /** Hexadecimal; only when asked for. */
  md5?: string;
}

/** Hears what is asked for, before it is answered that it is there. */
export interface Wishes {
  want(sha256: string): Promise<void>;
}

const nobody: Wishes = { want: () => Promise.resolve() };

export class ContentStore {
  readonly #place: ContentPlace;
  readonly #wishes: Wishes;
  readonly #temporaries: string;

  private constructor(folder: string, place: ContentPlace, wishes: Wishes) {
    this.#place = place;
    this.#wishes = wishes;
    this.#temporaries = join(folder, "tmp");
  }

  /**
   * Makes the folder, and removes what unfinished puts of an earlier process left. One process at a time. Content lies in the
   * folder, too, unless another place is given.
   */
  static async open(
    folder: string,
    { place = new DiskPlace(folder), wishes = nobody }: { place?: ContentPlace; wishes?: Wishes } = {},
  ): Promise<ContentStore> {
    const store = new ContentStore(folder, place, wishes);
    await mkdir(store.#temporaries, { recursive: true, mode: 0o700 });
    for (const name of await readdir(store.#temporaries)) {
      await removeBelow(store.#temporaries, join(store.#temporaries, name));
    }
    return store;
  }

  /**
   * Stores a body; when this resolves it survives a power cut. Content that is already there is hashed and checked, but
   * not written again; the same content may be put many times at once.
   */
  async put(body: Body, options: PutOptions = {}): Promise<PutResult> {
    const expected = options.expectedSha256 === undefined ? undefined : sha256Of(options.expectedSha256);
    const existed = expected !== undefined && (await this.size(expected)) !== undefined;
    const hashes = options.md5 === true ? (["sha256", "md5"] as const) : (["sha256"] as const);
    const mostBytes = options.mostBytes ?? options.expectedSize;
    if (existed) {
      const { size, digests } = await writeBody(body, { hashes, mostBytes });
      return { ...check(options, size, digests), existed };
    }
    const temporary = this.newTemporary();
    try {
      await using handle = await open(temporary, "wx", 0o600);
      const { size, digests } = await writeBody(body, { handle, hashes, mostBytes });
      const result = check(options, size, digests);
      await this.adopt(temporary, result.sha256);
      return { ...result, existed };
    } finally {
      await rm(temporary, { force: true }); // gone already when it was placed
    }
  }

  /** Takes over a finished file of this file system, whose digest the caller has computed while writing it. */
  async adopt(file: string, sha256: Sha256): Promise<void> {
    await this.#wishes.want(sha256);
    await this.#place.take(file, sha256);
  }

  /** A name for a file on the store's file system, removed at the next start unless it has become content by then. */
  newTemporary(): string {
    return join(this.#temporaries, randomBytes(12).toString("hex"));
  }

  /** Those of the digests that are not stored, each once. */
  async missing(digests: Iterable<string>): Promise<Sha256[]> {
    const asked = [...new Set(digests)].map(sha256Of);
    const sizes = await Promise.all(asked.map((digest) => this.size(digest)));
    return asked.filter((_, i) => sizes[i] === undefined);
  }

  /** In bytes; undefined when it is not stored. Who hears that it is may refer to it within the time that it is kept unneeded. */
  async size(sha256: string): Promise<number | undefined> {
    const digest = sha256Of(sha256);
    await this.#wishes.want(digest);
    return await this.#place.size(digest);
  }

  /** Whether it is stored, for who tells nobody. */
  async has(sha256: string): Promise<boolean> {
    return (await this.#place.size(sha256Of(sha256))) !== undefined;
  }

  /** Undefined when it is not stored. */
  async open(sha256: string): Promise<OpenContent | undefined> {
    return await this.#place.open(sha256Of(sha256));
  }

  /** All of it in memory: for small content. Throws notFound. */
  async read(sha256: string): Promise<Buffer> {
    await using content = await this.open(sha256);
    if (content === undefined) throw fail("notFound", `Content ${sha256} is not stored.`);
    const chunks: Buffer[] = [];
    for await (const chunk of content.stream()) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
  }

  /** Removes content that nothing refers to any more; no harm when it is not there. */
  async remove(sha256: string): Promise<void> {
    await this.#place.remove(sha256Of(sha256));
  }

  /** All that is stored, in no order. */
  list(): AsyncIterable<ListedContent> {
    return this.#place.list();
  }
}

function check(
  options: PutOptions,
  size: number,
  digests: ReadonlyMap<string, string>,
): { sha256: Sha256; size: number; md5?: string } {
  const sha256 = sha256Of(digests.get("sha256") ?? "");
  const md5 = digests.get("md5");
  const { expectedSize, expectedSha256 } = options;
  if (expectedSize !== undefined && size !== expectedSize) {
    throw fail("invalidArgument", `The body has ${size} bytes instead of the ${expectedSize} that were announced.`);
  }
  if (expectedSha256 !== undefined && sha256 !== expectedSha256) {
    throw fail("invalidArgument", `The body has the SHA-256 ${sha256} instead of ${expectedSha256}.`, {
      hint: "It may have changed while it was sent: send it again.",
    });
  }
  return { sha256, size, ...(md5 !== undefined && { md5 }) };
}
