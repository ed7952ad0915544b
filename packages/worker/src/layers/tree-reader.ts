/** Reads layers for their facts in a thread of its own (tree-thread.ts), one after the other; this is its owner's side. */
import { once } from "node:events";
import { Worker } from "node:worker_threads";

import { PlatformError } from "@lydian/kit";

import { errorOf, type Failure } from "./mount-requests.ts";
import type { TreeFacts } from "./tree-facts.ts";

export interface ThreadOptions {
  /** Its one element is 1 when nobody waits any more. */
  readonly isClosed: Int32Array<SharedArrayBuffer>;
}

export type ToThread = { kind: "read"; id: number; root: string } | { kind: "end" };

export type FromThread =
  | { kind: "read"; id: number; facts: TreeFacts }
  | { kind: "failed"; id: number; failure: Failure };

export class TreeReader implements AsyncDisposable {
  readonly #waiting = new Map<number, PromiseWithResolvers<TreeFacts>>();
  readonly #isClosed = new Int32Array(new SharedArrayBuffer(4));
  #thread: Worker | undefined;
  #lastId = 0;

  /** Rejects when the tree cannot be read, such as one that is removed meanwhile, and when the reader is closed. */
  async read(root: string): Promise<TreeFacts> {
    this.#thread ??= this.#start();
    const id = ++this.#lastId;
    const read = Promise.withResolvers<TreeFacts>();
    this.#waiting.set(id, read);
    tell(this.#thread, { kind: "read", id, root });
    return await read.promise;
  }

  /** Ended by its own hand: terminated in the middle of a system call, it may take the process along. */
  async [Symbol.asyncDispose](): Promise<void> {
    Atomics.store(this.#isClosed, 0, 1);
    const thread = this.#thread;
    if (thread === undefined) return;
    const ended = once(thread, "exit");
    tell(thread, { kind: "end" });
    await ended;
  }

  #start(): Worker {
    const script = new URL(import.meta.url.endsWith(".ts") ? "tree-thread.ts" : "tree-thread.js", import.meta.url);
    const thread = new Worker(script, { workerData: { isClosed: this.#isClosed } satisfies ThreadOptions });
    thread.on("message", (message: FromThread) => {
      const read = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      if (message.kind === "read") read?.resolve(message.facts);
      else read?.reject(errorOf(message.failure));
    });
    const end = (error: Error): void => {
      this.#thread = undefined;
      for (const { reject } of this.#waiting.values()) reject(error);
      this.#waiting.clear();
    };
    thread.on("error", end);
    thread.on("exit", () => end(new PlatformError("layers are read no more")));
    return thread;
  }
}

const tell = (thread: Worker, message: ToThread): void => thread.postMessage(message, []);
