/**
 * Work with the file system that a thread of its own does, one piece after the other, so that nobody else waits for it; this is its
 * owner's side, reading-thread.ts the thread's.
 */
import { once } from "node:events";
import { extname } from "node:path";
import { Worker } from "node:worker_threads";

import { PlatformError } from "@lydian/kit";

import { errorOf, type Failure } from "./mount-requests.ts";

export interface ThreadOptions {
  /** Its one element is 1 when nobody waits any more. */
  readonly isClosed: Int32Array<SharedArrayBuffer>;
}

export type ToThread<Asked> = { kind: "read"; id: number; asked: Asked } | { kind: "end" };

export type FromThread<Found> =
  | { kind: "read"; id: number; found: Found }
  | { kind: "failed"; id: number; failure: Failure };

export class ThreadReader<Asked, Found> implements AsyncDisposable {
  readonly #script: URL;
  readonly #waiting = new Map<number, PromiseWithResolvers<Found>>();
  readonly #isClosed = new Int32Array(new SharedArrayBuffer(4));
  #thread: Worker | undefined;
  #lastId = 0;

  /** `name` is the module beside `module` that is the thread's code, which calls `readFor`; the first who asks starts it. */
  constructor(module: string, name: string) {
    this.#script = new URL(`${name}${extname(module)}`, module);
  }

  /** Rejects when it cannot be read, such as what is removed meanwhile, and when the reader is closed. */
  async read(asked: Asked): Promise<Found> {
    const thread = (this.#thread ??= this.#start());
    const id = ++this.#lastId;
    const read = Promise.withResolvers<Found>();
    this.#waiting.set(id, read);
    thread.ref();
    this.#tell(thread, { kind: "read", id, asked });
    try {
      return await read.promise;
    } finally {
      if (this.#waiting.size === 0) this.#thread?.unref();
    }
  }

  /** Ended by its own hand: terminated in the middle of a system call, it may take the process along. */
  async [Symbol.asyncDispose](): Promise<void> {
    Atomics.store(this.#isClosed, 0, 1);
    const thread = this.#thread;
    if (thread === undefined) return;
    thread.ref();
    const ended = once(thread, "exit");
    this.#tell(thread, { kind: "end" });
    await ended;
  }

  #start(): Worker {
    const thread = new Worker(this.#script, { workerData: { isClosed: this.#isClosed } satisfies ThreadOptions });
    thread.on("message", (message: FromThread<Found>) => {
      const read = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      if (message.kind === "read") read?.resolve(message.found);
      else read?.reject(errorOf(message.failure));
    });
    const end = (error: Error): void => {
      this.#thread = undefined;
      for (const { reject } of this.#waiting.values()) reject(error);
      this.#waiting.clear();
    };
    thread.on("error", end);
    thread.on("exit", () => end(new PlatformError("the thread that reads has ended")));
    return thread;
  }

  #tell(thread: Worker, message: ToThread<Asked>): void {
    thread.postMessage(message, []);
  }
}
