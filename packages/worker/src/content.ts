/** Files by their SHA-256: fetched from the server once, verified while they stream in, kept for the next container. */
import { createHash } from "node:crypto";
import { access, mkdir, open, rename, rm } from "node:fs/promises";
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

export class ContentCache {
  readonly #folder: string;
  readonly #incoming: string;
  readonly #doorFile: string;
  readonly #clock: Clock;
  readonly #agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
  readonly #fetching = new SharedWork<string>();
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

  /** A file with this content, to be read and never to be changed. */
  async file(sha256: string, signal: AbortSignal): Promise<string> {
    if (!/^[0-9a-f]{64}$/.test(sha256)) throw new PlatformError(`${JSON.stringify(sha256)} is no SHA-256`);
    const file = join(this.#folder, sha256.slice(0, 2), sha256);
    if (await isThere(file)) return file;
    return unlessAborted(
      this.#fetching.run(sha256, () => this.#fetch(sha256, file)),
      signal,
    );
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

async function isThere(file: string): Promise<boolean> {
  try {
    await access(file);
    return true;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return false;
    throw error;
  }
}
