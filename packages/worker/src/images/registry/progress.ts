/** Tells people how far a pull has come, at intervals that suit a log. */
import type { Clock } from "@lydian/kit";

import type { Descriptor } from "./manifests.ts";

/** The first line comes after this time; each further one after half as much again as the one before. */
const firstMs = 3000;
const growth = 1.5;
const longestMs = 60_000;

export class Progress implements Disposable {
  readonly #image: string;
  readonly #size: number;
  readonly #clock: Clock;
  readonly #say: (line: string) => void;
  #received = 0;
  #timer: Disposable;

  constructor(image: string, blobs: readonly Descriptor[], clock: Clock, say: (line: string) => void) {
    this.#image = image;
    this.#size = blobs.reduce((sum, { size }) => sum + size, 0);
    this.#clock = clock;
    this.#say = say;
    this.#timer = this.#wait(firstMs);
  }

  /** Passes the bytes on. What another one pulls at the same time, and what is there already, is not counted. */
  async *count(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const piece of bytes) {
      this.#received += piece.length;
      yield piece;
    }
  }

  [Symbol.dispose](): void {
    this.#timer[Symbol.dispose]();
  }

  #wait(ms: number): Disposable {
    return this.#clock.timer(ms, () => {
      const share = this.#size === 0 ? 100 : Math.floor((this.#received / this.#size) * 100);
      this.#say(`Pulling ${this.#image}: ${megabytes(this.#received)} of ${megabytes(this.#size)} MB (${share} %)`);
      this.#timer = this.#wait(Math.min(ms * growth, longestMs));
    });
  }
}

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1);
