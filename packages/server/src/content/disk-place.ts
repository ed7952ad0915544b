/** Content as files below one folder of this machine (`ab/abcdef…`). */
import { mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";

import { hasCode, namesIn, syncFolder } from "@lydian/kit";

import { isSha256, type Sha256 } from "./digest.ts";
import type { ContentPlace, ListedContent, OpenContent } from "./place.ts";

/** How many bytes a stream reads at once. */
const readBytes = 256 * 1024;

export class DiskPlace implements ContentPlace {
  readonly #folder: string;

  /** It must be there, and on the same file system as the files that are taken. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  async take(file: string, sha256: Sha256): Promise<void> {
    {
      await using handle = await open(file, "r");
      await handle.sync();
    }
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

  async size(sha256: Sha256): Promise<number | undefined> {
    try {
      return (await stat(this.#pathOf(sha256))).size;
    } catch (error) {
      if (hasCode(error, "ENOENT")) return undefined;
      throw error;
    }
  }

  /** What is open can be read to its end even when it is removed meanwhile. */
  async open(sha256: Sha256): Promise<OpenContent | undefined> {
    const handle = await open(this.#pathOf(sha256), "r").catch((error: unknown) => {
      if (hasCode(error, "ENOENT")) return undefined;
      throw error;
    });
    if (handle === undefined) return undefined;
    const { size } = await handle.stat();
    return {
      size,
      read: async (into, at) => (await handle.read(into, 0, into.length, at)).bytesRead,
      stream: (range) => handle.createReadStream({ highWaterMark: readBytes, ...range }),
      [Symbol.asyncDispose]: () => handle.close(),
    };
  }

  /** A power cut may bring it back: it is removed again then. */
  async remove(sha256: Sha256): Promise<void> {
    await rm(this.#pathOf(sha256), { force: true });
  }

  async *list(): AsyncGenerator<ListedContent> {
    for (const folder of await namesIn(this.#folder)) {
      if (!/^[0-9a-f]{2}$/.test(folder)) continue;
      for (const name of await namesIn(join(this.#folder, folder))) {
        const size = isSha256(name) ? await this.size(name) : undefined;
        if (size !== undefined) yield { sha256: name as Sha256, size };
      }
    }
  }

  /** Nothing is open between two calls. */
  [Symbol.dispose](): void {}

  /** The type admits checked digests only. */
  #pathOf(sha256: Sha256): string {
    return join(this.#folder, sha256.slice(0, 2), sha256);
  }
}
