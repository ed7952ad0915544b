/**
 * What a command has written to one of its streams: kept from some way before what was read last, so that a reader whose
 * connection broke goes on where it was. What nobody reads fills it, and then the command waits, as for a full pipe.
 */
import type { Readable } from "node:stream";

import { PlatformError } from "@lydian/kit";

/** In bytes. */
export interface OutputLimits {
  /** What is read ahead of the reader. */
  ahead: number;
  /** What is kept of what was read: a client takes so much into its own memory before it says that its connection broke. */
  behind: number;
}

const usual: OutputLimits = { ahead: 1024 * 1024, behind: 8 * 1024 * 1024 };

/** Of one answer, at most. */
const chunkBytes = 64 * 1024;

export class Output {
  readonly #source: Readable | undefined;
  readonly #limits: OutputLimits;
  readonly #chunks: Buffer[] = [];
  /** Where the first chunk begins, where the last one ends, and up to where it was read. */
  #begin = 0;
  #end = 0;
  #read = 0;
  #isOver: boolean;
  #changed = Promise.withResolvers<void>();

  /** Undefined: there is nothing to come. */
  constructor(source: Readable | undefined, limits = usual) {
    this.#source = source;
    this.#limits = limits;
    this.#isOver = source === undefined;
    source?.on("data", (chunk: Buffer) => this.#take(chunk));
    source?.once("end", () => this.#finish());
    source?.once("close", () => this.#finish());
    source?.on("error", () => this.#finish()); // a terminal that is gone ends so
  }

  /** From an offset on, until the stream has ended. */
  async *read(offset: number, signal: AbortSignal): AsyncGenerator<Buffer, void, undefined> {
    if (offset > this.#end) throw new PlatformError(`the command has written ${this.#end} bytes, not ${offset}`);
    for (let at = offset; ;) {
      signal.throwIfAborted();
      if (at < this.#begin) {
        throw new PlatformError(`its output is kept from byte ${this.#begin} on, and was asked for from ${at} on`);
      }
      const chunk = this.#chunkAt(at);
      if (chunk !== undefined) {
        yield chunk;
        at += chunk.length;
        this.#advance(at);
        continue;
      }
      if (this.#isOver) return;
      const { promise } = this.#changed;
      await Promise.race([promise, aborted(signal)]);
    }
  }

  #chunkAt(at: number): Buffer | undefined {
    let begin = this.#begin;
    for (const chunk of this.#chunks) {
      if (at < begin + chunk.length) return chunk.subarray(at - begin, at - begin + chunkBytes);
      begin += chunk.length;
    }
    return undefined;
  }

  #take(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#end += chunk.length;
    if (this.#end - this.#read >= this.#limits.ahead) this.#source?.pause();
    this.#ring();
  }

  #advance(read: number): void {
    if (read <= this.#read) return;
    this.#read = read;
    for (let first = this.#chunks[0]; first !== undefined; first = this.#chunks[0]) {
      if (this.#begin + first.length > read - this.#limits.behind) break;
      this.#begin += first.length;
      this.#chunks.shift();
    }
    if (this.#end - read < this.#limits.ahead) this.#source?.resume();
  }

  #finish(): void {
    this.#isOver = true;
    this.#ring();
  }

  #ring(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
