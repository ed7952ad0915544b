/** Reads what uppers have changed in a thread of its own (upper-thread.ts); this is its owner's side. */
import { once } from "node:events";
import { Worker } from "node:worker_threads";

import { PlatformError } from "@lydian/kit";

import { errorOf, type Failure } from "../layers/mount-requests.ts";
import type { Difference } from "./difference.ts";

export type ToThread = { kind: "read"; id: number; upper: string; layers: readonly string[] } | { kind: "end" };

export type FromThread =
  | { kind: "read"; id: number; difference: Difference }
  | { kind: "failed"; id: number; failure: Failure };

export class UpperReader implements AsyncDisposable {
  readonly #waiting = new Map<number, PromiseWithResolvers<Difference>>();
  #thread: Worker | undefined;
  #lastId = 0;

  /** `layers`: what the upper lies on, topmost first. */
  async read(upper: string, layers: readonly string[]): Promise<Difference> {
    this.#thread ??= this.#start();
    const id = ++this.#lastId;
    const read = Promise.withResolvers<Difference>();
    this.#waiting.set(id, read);
    this.#thread.ref();
    tell(this.#thread, { kind: "read", id, upper, layers });
    try {
      return await read.promise;
    } finally {
      if (this.#waiting.size === 0) this.#thread?.unref();
    }
  }

  /** Ended by its own hand: terminated in the middle of a system call, it may take the process along. */
  async [Symbol.asyncDispose](): Promise<void> {
    const thread = this.#thread;
    if (thread === undefined) return;
    thread.ref();
    const ended = once(thread, "exit");
    tell(thread, { kind: "end" });
    await ended;
  }

  #start(): Worker {
    const script = new URL(import.meta.url.endsWith(".ts") ? "upper-thread.ts" : "upper-thread.js", import.meta.url);
    const thread = new Worker(script);
    thread.unref();
    thread.on("message", (message: FromThread) => {
      const read = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      if (message.kind === "read") read?.resolve(message.difference);
      else read?.reject(errorOf(message.failure));
    });
    const end = (error: Error): void => {
      this.#thread = undefined;
      for (const { reject } of this.#waiting.values()) reject(error);
      this.#waiting.clear();
    };
    thread.on("error", end);
    thread.on("exit", () => end(new PlatformError("volumes are read no more")));
    return thread;
  }
}

const tell = (thread: Worker, message: ToThread): void => thread.postMessage(message, []);
