/**
 * Blobs as they arrive: parts in files of their own, until the list of parts makes content of them.
 *
 * A part's file is named after its number and its MD5 (and, when it is the only one, its SHA-256), so that all that is
 * known of an upload is in its folder, also after a restart.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";

import { isId, namesIn, removeBelow } from "@lydian/kit";

import { fail } from "../errors.ts";
import type { BlobUpload } from "./blob-links.ts";
import type { ContentStore } from "./content-store.ts";
import { isSha256 } from "./digest.ts";
import type { ListedPart } from "./part-list.ts";
import { type Body, writeBody } from "./write-body.ts";

export interface BlobUploadsOptions {
  store: ContentStore;
  /** On the same file system as the store. */
  folder: string;
  /**
   * Told when a blob's content is on disk, before its uploader is. Rejecting fails the upload; it is called again when
   * the uploader repeats the completion, so it must be idempotent.
   */
  stored: (blob: BlobUpload) => Promise<void>;
}

export class BlobUploads {
  readonly #options: BlobUploadsOptions;
  /** Completions under way, by blob: a repeated one joins the first. */
  readonly #completing = new Map<string, Promise<string>>();

  constructor(options: BlobUploadsOptions) {
    this.#options = options;
  }

  /** A whole blob in one body. Answers its MD5 in hexadecimal. */
  async putWhole(upload: BlobUpload, body: Body): Promise<string> {
    const { md5 = "" } = await this.#options.store.put(body, {
      expectedSha256: upload.sha256,
      expectedSize: upload.size,
      md5: true,
    });
    await this.#options.stored({ blobId: upload.blobId, sha256: upload.sha256, size: upload.size });
    return md5;
  }

  /** One part; sent again it replaces the earlier one. Answers its MD5 in hexadecimal. */
  async putPart(upload: BlobUpload & { part: number; parts: number; length: number }, body: Body): Promise<string> {
    const folder = this.#folderOf(upload.blobId);
    const { length } = upload;
    const isOnly = upload.parts === 1;
    const temporary = this.#options.store.newTemporary();
    try {
      await using handle = await open(temporary, "wx", 0o600);
      const { size, digests } = await writeBody(body, {
        handle,
        hashes: isOnly ? ["md5", "sha256"] : ["md5"],
        mostBytes: length,
      });
      if (size !== length) throw fail("invalidArgument", `Part ${upload.part} has ${size} bytes instead of ${length}.`);
      const md5 = digests.get("md5") ?? "";
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await rename(temporary, join(folder, [upload.part, md5, digests.get("sha256")].filter(Boolean).join(".")));
      return md5;
    } finally {
      await rm(temporary, { force: true });
    }
  }

  /**
   * Makes content of the parts, which must be all of them, and answers the MD5 of the parts' MD5s, "-", the number of
   * parts: what the clients expect as ETag. Repeating a completion that succeeded succeeds.
   */
  async complete(upload: BlobUpload & { parts: number }, listed: readonly ListedPart[]): Promise<string> {
    const etags = checkList(upload.parts, listed);
    const joined = Buffer.concat(etags.map((etag) => Buffer.from(etag, "hex")));
    const etag = `${createHash("md5").update(joined).digest("hex")}-${etags.length}`;
    const running = this.#completing.get(upload.blobId) ?? this.#assemble(upload, etags).then(() => etag);
    this.#completing.set(upload.blobId, running);
    try {
      return await running;
    } finally {
      this.#completing.delete(upload.blobId);
    }
  }

  /** Removes parts of uploads in which nothing has moved since `beforeMs` (milliseconds since the epoch). */
  async sweep(beforeMs: number): Promise<void> {
    for (const name of await namesIn(this.#options.folder)) {
      const folder = join(this.#options.folder, name);
      const { mtimeMs } = await stat(folder);
      if (mtimeMs < beforeMs && !this.#completing.has(name)) await removeBelow(this.#options.folder, folder);
    }
  }

  async #assemble(upload: BlobUpload & { parts: number }, etags: readonly string[]): Promise<void> {
    const { store, stored } = this.#options;
    const folder = this.#folderOf(upload.blobId);
    const names = await namesIn(folder);
    const fileOf = new Map(names.map((name) => [name.split(".", 2).join("."), join(folder, name)]));
    const files = etags.map((etag, i) => fileOf.get(`${i + 1}.${etag}`));
    const absent = files.indexOf(undefined);
    if (absent === -1) await this.#store(upload, files as string[]);
    else if ((await store.size(upload.sha256)) !== upload.size) {
      throw fail("invalidArgument", `Part ${absent + 1} of ${etags.length} (ETag ${etags[absent]}) was not uploaded.`);
    }
    await stored({ blobId: upload.blobId, sha256: upload.sha256, size: upload.size });
    await removeBelow(this.#options.folder, folder);
  }

  async #store(upload: BlobUpload, files: readonly string[]): Promise<void> {
    const { store } = this.#options;
    const [only = ""] = files;
    const sha256 = only.slice(only.lastIndexOf(".") + 1);
    if (files.length === 1 && isSha256(sha256)) {
      if (sha256 === upload.sha256) return store.adopt(only, sha256);
      throw fail("invalidArgument", `The upload has the SHA-256 ${sha256} instead of ${upload.sha256}.`, {
        hint: "It may have changed while it was sent: send it again.",
      });
    }
    await store.put(joined(files), { expectedSha256: upload.sha256, expectedSize: upload.size });
  }

  #folderOf(blobId: string): string {
    if (!isId("bl", blobId))
      throw fail("invalidArgument", `${JSON.stringify(blobId.slice(0, 80))} is not the id of a blob.`);
    return join(this.#options.folder, blobId);
  }
}

async function* joined(files: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const file of files) yield* createReadStream(file, { highWaterMark: 1024 * 1024 }) as AsyncIterable<Buffer>;
}

/** The ETags in the order of the parts. Throws invalidArgument unless each part is listed exactly once. */
function checkList(parts: number, listed: readonly ListedPart[]): string[] {
  const etags: string[] = [];
  for (const { part, etag } of listed) {
    if (part > parts || etags[part - 1] !== undefined) {
      throw fail("invalidArgument", `Part ${part} is listed, but parts 1 to ${parts} are expected, each once.`);
    }
    etags[part - 1] = etag;
  }
  if (listed.length !== parts) {
    throw fail("invalidArgument", `${listed.length} parts are listed instead of ${parts}.`);
  }
  return etags;
}
