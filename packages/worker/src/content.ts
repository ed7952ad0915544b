/** Files by their SHA-256: fetched from the server once, verified while they stream in, kept for the next container. */
import { createHash } from "node:crypto";
import { mkdir, open, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import http from "node:http";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";

import { backoffMs, type Clock, hasCode, PlatformError, removeBelow, sleep, temporaryBeside } from "@lydian/kit";

import { SharedWork, unlessAborted } from "./shared-work.ts";

/** While the server restarts: 50 ms, doubled up to 2 s, ten times; about 11 s in all. */
const retry = { initialMs: 50, factor: 2, maxMs: 2000 };
const retries = 10;

/** A server that sends nothing for so long is taken for gone. */
const silenceMs = 30_000;

/** Who has been given a file's name has used it by then; so often is it written down that a file is used. */
const usingMs = 3_600_000;

export class ContentCache {
  readonly #folder: string;
  readonly #incoming: string;
  readonly #doorFile: string;
  readonly #clock: Clock;
  readonly #agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
  readonly #fetching = new SharedWork<string>();
  /** When this process was last asked for a file. */
  readonly #asked = new Map<string, number>();
  readonly #going = new Map<string, Promise<void>>();
  readonly #closed = new AbortController();

  constructor(options: { data: string; doorFile: string; clock: Clock }) {
    this.#folder = join(options.data, "content");
    this.#incoming = join(this.#folder, "incoming");
    this.#doorFile = options.doorFile;
    this.#clock = options.clock;
  }

  /** Throws away what a worker before had not finished. */
  async start(): Promise<void> {
    await removeBelow(this.#folder, this.#incoming);
    await mkdir(this.#incoming, { recursive: true, mode: 0o700 });
  }

  /** A file with this content, to be read within the hour and never to be changed. */
  async file(sha256: string, signal: AbortSignal): Promise<string> {
    if (!/^[0-9a-f]{64}$/.test(sha256)) throw new PlatformError(`${JSON.stringify(sha256)} is no SHA-256`);
    const file = join(this.#folder, sha256.slice(0, 2), sha256);
    this.#asked.set(sha256, this.#clock.now()); // from here on it is not collected
    await this.#going.get(sha256);
    if (await this.#use(file)) return file;
    return unlessAborted(
      this.#fetching.run(sha256, () => this.#fetch(sha256, file)),
      signal,
    );
  }

  /** Removes what was not used since then; what is asked for again is fetched again. Unless it `isDry`. */
  async collect(usedBefore: number, isDry = false): Promise<{ files: number; bytes: number }> {
    const before = Math.min(usedBefore, this.#clock.now() - usingMs);
    for (const [sha256, at] of this.#asked) if (at < before) this.#asked.delete(sha256);
    const removed = { files: 0, bytes: 0 };
    for (const folder of (await readdir(this.#folder)).filter((name) => name.length === 2)) {
      for (const name of await readdir(join(this.#folder, folder))) {
        const file = join(this.#folder, folder, name);
        const { mtimeMs, blocks } = await stat(file);
        if (mtimeMs >= before || this.#asked.has(name)) continue;
        if (!isDry) await this.#remove(name, file);
        removed.files++;
        removed.bytes += blocks * 512;
      }
    }
    return removed;
  }

  close(): void {
    this.#closed.abort(new PlatformError("the worker ends"));
    this.#agent.destroy();
  }

  async #fetch(sha256: string, file: string): Promise<string> {
    for (let repetition = 1; ; repetition++) {
      try {
        await this.#download(sha256, file);
        return file;
      } catch (error) {
        this.#closed.signal.throwIfAborted();
        if (error instanceof PlatformError || repetition > retries) throw error;
        await sleep(this.#clock, backoffMs(retry, repetition), this.#closed.signal);
      }
    }
  }

  async #download(sha256: string, file: string): Promise<void> {
    const temporary = temporaryBeside(join(this.#incoming, sha256));
    try {
      const response = await this.#get(`/content/${sha256}`);
      if (response.statusCode !== 200) {
        response.resume();
        const message = `the server answered ${response.statusCode} for the file with SHA-256 ${sha256}`;
        // What the server says for good is not asked again.
        throw (response.statusCode ?? 0) >= 500 ? new Error(message) : new PlatformError(message);
      }
      await using handle = await open(temporary, "wx", 0o600);
      const hash = createHash("sha256");
      await pipeline(response, async (chunks: AsyncIterable<Buffer>) => {
        for await (const chunk of chunks) {
          hash.update(chunk);
          await handle.writeFile(chunk);
        }
      });
      if (hash.digest("hex") !== sha256) throw new Error(`what the server sent for ${sha256} has another SHA-256`);
      await handle.sync();
      await mkdir(join(file, ".."), { recursive: true, mode: 0o700 });
      await rename(temporary, file);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }

  async #remove(sha256: string, file: string): Promise<void> {
    const going = removeBelow(this.#folder, file).finally(() => this.#going.delete(sha256));
    this.#going.set(sha256, going); // who asks for it now waits, and has it fetched
    await going;
  }

  /** Whether it is there, to be used now. */
  async #use(file: string): Promise<boolean> {
    try {
      const now = this.#clock.now();
      if ((await stat(file)).mtimeMs < now - usingMs) await utimes(file, now / 1000, now / 1000);
      return true;
    } catch (error) {
      if (hasCode(error, "ENOENT")) return false;
      throw error;
    }
  }

  #get(path: string): Promise<http.IncomingMessage> {
    return new Promise((resolve, reject) => {
      const request = http.get(
        { socketPath: this.#doorFile, path, agent: this.#agent, timeout: silenceMs, signal: this.#closed.signal },
        resolve,
      );
      request.on("timeout", () => request.destroy(new Error("the server sends nothing")));
      request.on("error", reject);
    });
  }
}
