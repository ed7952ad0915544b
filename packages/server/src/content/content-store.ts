/**
 * Content by its SHA-256: whole files that never change, below one folder (`ab/abcdef…`).
 *
 * Which of them are still wanted is kept elsewhere; this side only stores, reads and removes.
 */
import { randomBytes } from "node:crypto";
import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";

import { hasCode, removeBelow, syncFolder } from "@lydian/kit";

import { fail } from "../errors.ts";
import { type Sha256, sha256Of } from "./digest.ts";
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

/** Both ends included, counted from 0, as in HTTP. */
export interface ByteRange {
  start: number;
  end: number;
}

/** Stored content, open for reading; close it by disposing, or by reading `stream` to its end or destroying it. */
export interface OpenContent extends AsyncDisposable {
  /** Bytes. */
  readonly size: number;
  /** At most once. */
  stream(range?: ByteRange): Readable;
}

/** How many bytes a stream reads at once. */
const readBytes = 256 * 1024;

export class ContentStore {
  readonly #folder: string;
  readonly #temporaries: string;

  private constructor(folder: string) {
    this.#folder = folder;
    this.#temporaries = join(folder, "tmp");
  }

  /** Makes the folder, and removes what unfinished puts of an earlier process left. One process at a time. */
  static async open(folder: string): Promise<ContentStore> {
    const store = new ContentStore(folder);
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
      await handle.sync();
      await this.#place(temporary, result.sha256);
      return { ...result, existed };
    } finally {
      await rm(temporary, { force: true }); // gone already when it was placed
    }
  }

  /** Takes over a finished file of this file system, whose digest the caller has computed while writing it. */
  async adopt(file: string, sha256: Sha256): Promise<void> {
    {
      await using handle = await open(file, "r");
      await handle.sync();
    }
    await this.#place(file, sha256);
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

  /** In bytes; undefined when it is not stored. */
  async size(sha256: string): Promise<number | undefined> {
    try {
      return (await stat(this.#pathOf(sha256Of(sha256)))).size;
    } catch (error) {
      if (hasCode(error, "ENOENT")) return undefined;
      throw error;
    }
  }

  /** Undefined when it is not stored. Content that is open can be read to its end even when it is removed meanwhile. */
  async open(sha256: string): Promise<OpenContent | undefined> {
    const path = this.#pathOf(sha256Of(sha256));
    const handle = await open(path, "r").catch((error: unknown) => {
      if (hasCode(error, "ENOENT")) return undefined;
      throw error;
    });
    if (handle === undefined) return undefined;
    const { size } = await handle.stat();
    return {
      size,
      stream: (range) => handle.createReadStream({ highWaterMark: readBytes, ...range }),
      [Symbol.asyncDispose]: () => handle.close(),
    };
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
    await rm(this.#pathOf(sha256Of(sha256)), { force: true });
  }

  async #place(file: string, sha256: Sha256): Promise<void> {
    const path = this.#pathOf(sha256);
    try {
      await rename(file, path);
    } catch (error) {
      if (!hasCode(error, "ENOENT")) throw error;
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      await syncFolder(this.#folder);
      await rename(file, path);
    }
    await syncFolder(dirname(path));
  }

  /** The type admits checked digests only. */
  #pathOf(sha256: Sha256): string {
    return join(this.#folder, sha256.slice(0, 2), sha256);
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
