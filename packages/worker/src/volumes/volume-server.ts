/** What the server has of volumes, asked and told over HTTP through the worker's door. */
import http from "node:http";
import { Readable } from "node:stream";

import { create } from "@bufbuild/protobuf";
import { sizeDelimitedDecodeStream, sizeDelimitedEncode } from "@bufbuild/protobuf/wire";
import * as wire from "@lydian/contract/worker";
import { backoffMs, type Clock, PlatformError, sleep } from "@lydian/kit";

import type { OwedSize } from "./owed-commits.ts";

/** While the server restarts: 50 ms, doubled up to 2 s, ten times; about 11 s in all. */
const retry = { initialMs: 50, factor: 2, maxMs: 2000 };
const retries = 10;

/** A server that sends nothing for so long is taken for gone. */
const silenceMs = 60_000;

/** The server refuses this for good: asked again, it would say the same. */
export class RefusedError extends PlatformError {}

/** What was asked about is not there, or not any more. */
export class GoneError extends RefusedError {}

/** What a container has changed. */
export interface VolumeChange {
  /** Innermost first. */
  readonly removed: readonly string[];
  /** Folders before what is in them. */
  readonly written: readonly wire.VolumeEntry[];
}

export class VolumeServer {
  readonly #doorFile: string;
  readonly #clock: Clock;
  readonly #agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
  readonly #closed = new AbortController();

  constructor(options: { doorFile: string; clock: Clock }) {
    this.#doorFile = options.doorFile;
    this.#clock = options.clock;
  }

  /** What leads from one state to another, or to the newest. Begins with the number of the state. */
  async *changes(volumeId: string, from: number, to?: number): AsyncGenerator<wire.VolumeChange> {
    const query = new URLSearchParams({ from: String(from), ...(to !== undefined && { to: String(to) }) });
    const response = await this.#repeat("GET", `/volumes/${volumeId}/changes?${query.toString()}`);
    yield* sizeDelimitedDecodeStream(wire.VolumeChangeSchema, response as AsyncIterable<Uint8Array>);
  }

  /** The number of the newest commit. */
  async head(volumeId: string): Promise<number> {
    for await (const { change } of this.changes(volumeId, Number.MAX_SAFE_INTEGER)) {
      if (change.case === "head") return Number(change.value);
    }
    throw new PlatformError(`the server does not say what volume ${volumeId} is like`);
  }

  /** The number of the commit; 0 when it would change nothing. With the same key it is made once, however often it is asked for. */
  async commit(volumeId: string, change: VolumeChange, { key, by }: { key: string; by: string }): Promise<number> {
    const query = new URLSearchParams({ key, by });
    const body = (): Readable => Readable.from(encoded(change));
    return Number(await text(await this.#repeat("POST", `/volumes/${volumeId}/commits?${query.toString()}`, body)));
  }

  /** The number of the commit with this key; undefined when it was never made. */
  async commitOf(volumeId: string, key: string): Promise<number | undefined> {
    const query = new URLSearchParams({ key });
    try {
      return Number(await text(await this.#repeat("GET", `/volumes/${volumeId}/commits?${query.toString()}`)));
    } catch (error) {
      if (error instanceof RefusedError) return undefined;
      throw error;
    }
  }

  /** Whether the commit with this key may return before it is made. */
  async owe(volumeId: string, key: string, size: OwedSize): Promise<boolean> {
    const body = (): Uint8Array => Buffer.from(JSON.stringify(size));
    const query = new URLSearchParams({ key });
    return (await text(await this.#repeat("POST", `/volumes/${volumeId}/owed?${query.toString()}`, body))) === "1";
  }

  /** Says which commits are owed: there are no others. */
  async owes(keys: readonly string[]): Promise<void> {
    (await this.#repeat("PUT", "/volumes/owed", () => Buffer.from(JSON.stringify(keys)))).resume();
  }

  async has(sha256: string): Promise<boolean> {
    try {
      (await this.#repeat("HEAD", `/content/${sha256}`)).resume();
      return true;
    } catch (error) {
      if (error instanceof RefusedError) return false;
      throw error;
    }
  }

  async put(sha256: string, bytes: Uint8Array): Promise<void> {
    (await this.#repeat("PUT", `/content/${sha256}`, () => bytes)).resume();
  }

  /** A range of stored content. */
  async get(sha256: string, { offset, length }: { offset: number; length: number }): Promise<Readable> {
    const range = `bytes=${offset}-${offset + length - 1}`;
    return await this.#repeat("GET", `/content/${sha256}`, undefined, { range });
  }

  close(): void {
    this.#closed.abort(new PlatformError("the worker ends"));
    this.#agent.destroy();
  }

  async #repeat(
    method: string,
    path: string,
    body?: () => Readable | Uint8Array,
    headers: Record<string, string> = {},
  ): Promise<http.IncomingMessage> {
    for (let repetition = 1; ; repetition++) {
      try {
        return await this.#ask(method, path, body?.(), headers);
      } catch (error) {
        this.#closed.signal.throwIfAborted();
        if (error instanceof RefusedError || repetition > retries) throw error;
        await sleep(this.#clock, backoffMs(retry, repetition), this.#closed.signal);
      }
    }
  }

  async #ask(
    method: string,
    path: string,
    body: Readable | Uint8Array | undefined,
    headers: Record<string, string>,
  ): Promise<http.IncomingMessage> {
    const answer = Promise.withResolvers<http.IncomingMessage>();
    const { signal } = this.#closed;
    const length = body instanceof Uint8Array ? { "content-length": body.length } : {};
    const request = http.request(
      {
        ...{ method, path, agent: this.#agent, timeout: silenceMs, signal, socketPath: this.#doorFile },
        headers: { ...headers, ...length, "content-type": "application/octet-stream" },
      },
      answer.resolve,
    );
    request.on("timeout", () => request.destroy(new Error("the server sends nothing")));
    request.on("error", answer.reject);
    if (body instanceof Readable) {
      body.on("error", (error) => request.destroy(error));
      body.pipe(request);
    } else request.end(body);
    const response = await answer.promise;
    const { statusCode = 0 } = response;
    if (statusCode < 300) return response;
    const said = (await text(response)).trim();
    const message = said === "" ? `the server answered ${statusCode} for ${method} ${path}` : said;
    if (statusCode === 404) throw new GoneError(message);
    throw statusCode >= 500 && statusCode !== 507 ? new PlatformError(message) : new RefusedError(message);
  }
}

function* encoded({ removed, written }: VolumeChange): Generator<Uint8Array> {
  const encode = (change: wire.VolumeChange["change"]): Uint8Array =>
    sizeDelimitedEncode(wire.VolumeChangeSchema, create(wire.VolumeChangeSchema, { change }));
  for (const value of removed) yield encode({ case: "removed", value });
  for (const value of written) yield encode({ case: "written", value });
}

async function text(response: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
