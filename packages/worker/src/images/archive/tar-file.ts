/** A tar archive on disk as a set of named files, of which any can be read, in any order. */
import { createReadStream } from "node:fs";
import { posix } from "node:path";

import { PlatformError } from "@lydian/kit";

import { type TarHeader, TarReader } from "../registry/tar-reader.ts";

/** What an archive says of itself is never larger. */
const largestText = 16 * 1024 * 1024;

export class TarFile {
  readonly path: string;
  readonly #entries: ReadonlyMap<string, TarHeader>;

  private constructor(path: string, entries: ReadonlyMap<string, TarHeader>) {
    this.path = path;
    this.#entries = entries;
  }

  /** Reads it once, to know what is where. */
  static async open(path: string, signal: AbortSignal): Promise<TarFile> {
    const entries = new Map<string, TarHeader>();
    const reader = new TarReader({
      begin: (header) => void entries.set(posix.normalize(header.name).replace(/^\/+/, ""), header),
      content: () => {},
      end: () => {},
    });
    for await (const piece of createReadStream(path, { signal, highWaterMark: 1024 * 1024 }) as AsyncIterable<Buffer>) {
      reader.push(piece);
    }
    reader.finish();
    return new TarFile(path, entries);
  }

  has(name: string): boolean {
    return this.#find(name) !== undefined;
  }

  size(name: string): number {
    return this.#get(name).size;
  }

  async *read(name: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const { offset: start, size } = this.#get(name);
    if (size === 0) return;
    const options = { start, end: start + size - 1, signal, highWaterMark: 256 * 1024 };
    yield* createReadStream(this.path, options) as AsyncIterable<Buffer>;
  }

  async bytes(name: string, signal: AbortSignal): Promise<Buffer> {
    if (this.size(name) > largestText) throw new PlatformError(`${name} of ${this.path} is too large`);
    const pieces: Uint8Array[] = [];
    for await (const piece of this.read(name, signal)) pieces.push(piece);
    return Buffer.concat(pieces);
  }

  #get(name: string): TarHeader {
    const entry = this.#find(name);
    if (entry === undefined) throw new PlatformError(`${this.path} is not whole: it lacks ${name}`);
    return entry;
  }

  /** Older archives have a layer once, and links to it. */
  #find(name: string): TarHeader | undefined {
    let place = posix.normalize(name);
    for (let links = 0; links < 8; links++) {
      const entry = this.#entries.get(place);
      if (entry?.type === "symbolic link") place = posix.join(posix.dirname(place), entry.linkName);
      else if (entry?.type === "hard link") place = posix.normalize(entry.linkName);
      else return entry;
    }
    return undefined;
  }
}
