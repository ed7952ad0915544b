/** Reads layers for their facts in a thread of its own (tree-thread.ts), one after the other; this is its owner's side. */
import { Worker } from "node:worker_threads";

import { PlatformError } from "@lydian/kit";

import { errorOf, type Failure } from "./mount-requests.ts";
import type { TreeFacts } from "./tree-facts.ts";

export interface ToThread {
  readonly id: number;
  readonly root: string;
}

export type FromThread =
  | { kind: "read"; id: number; facts: TreeFacts }
  | { kind: "failed"; id: number; failure: Failure };

export class TreeReader implements AsyncDisposable {
  readonly #waiting = new Map<number, PromiseWithResolvers<TreeFacts>>();
  #thread: Worker | undefined;
  #lastId = 0;

  /** Rejects when the tree cannot be read, such as one that is removed meanwhile, and when the reader is closed. */
  async read(root: string): Promise<TreeFacts> {
    this.#thread ??= this.#start();
    const id = ++this.#lastId;
    const read = Promise.withResolvers<TreeFacts>();
    this.#waiting.set(id, read);
    this.#thread.postMessage({ id, root } satisfies ToThread, []);
    return await read.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#thread?.terminate();
  }

  #start(): Worker {
    const script = new URL(import.meta.url.endsWith(".ts") ? "tree-thread.ts" : "tree-thread.js", import.meta.url);
    const thread = new Worker(script);
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
