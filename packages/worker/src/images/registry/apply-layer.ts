/**
 * Unpacks a layer of an image in a thread of its own (apply-thread.ts), so that neither unpacking nor a slow disk holds up
 * the event loop; this is its owner's side.
 */
import { Worker } from "node:worker_threads";

import { PlatformError } from "@lydian/kit";

import { errorOf, type Failure } from "../../layers/mount-requests.ts";
import { unlessAborted } from "../../shared-work.ts";

/** Rises with every change to what becomes of an archive, so that layers of an older way are not taken. */
export const unpacking = 2;

export interface ApplyOptions {
  /** An empty folder. */
  readonly diff: string;
  /** What the archive must be when it is unpacked, by sha256; undefined: nobody has said. */
  readonly diffId: string | undefined;
  readonly signal: AbortSignal;
}

export interface ThreadOptions {
  readonly diff: string;
  readonly diffId: string | undefined;
}

export type ToThread = { kind: "bytes"; bytes: Uint8Array } | { kind: "end" };

export type FromThread =
  /** It has loaded all its code. */
  | { kind: "ready" }
  /** So many bytes have been dealt with. */
  | { kind: "took"; bytes: number }
  | { kind: "done" }
  | { kind: "disk full"; message: string }
  | { kind: "failed"; failure: Failure };

/** How many bytes are under way to the thread before more are asked for. */
const ahead = 4 * 1024 * 1024;

/** A full disk: nothing else would do better than to make room. */
export class DiskFullError extends PlatformError {}

/** `archive` yields a tar archive, plain or packed by gzip or zstd, and rejects when it is not what it should be. */
export async function applyLayer(
  archive: AsyncIterable<Uint8Array>,
  { diff, diffId, signal }: ApplyOptions,
): Promise<void> {
  const thread = new ApplyThread({ diff, diffId });
  const either = AbortSignal.any([signal, thread.failed]);
  try {
    // An archive that breaks off is never ended for the thread, which would find half an entry and call that the reason.
    await unlessAborted(Promise.all([feed(archive, thread, either), thread.done]), either);
  } finally {
    await thread.terminate(); // whoever deletes the folder does so alone
  }
}

async function feed(archive: AsyncIterable<Uint8Array>, thread: ApplyThread, signal: AbortSignal): Promise<void> {
  for await (const bytes of archive) {
    signal.throwIfAborted();
    await unlessAborted(thread.take(bytes), signal);
  }
  thread.end();
}

class ApplyThread {
  readonly done: Promise<void>;
  readonly #thread: Worker;
  readonly #failed = new AbortController();
  readonly #ready = Promise.withResolvers<void>();
  #underWay = 0;
  #room = Promise.withResolvers<void>();

  constructor(options: ThreadOptions) {
    const script = new URL(import.meta.url.endsWith(".ts") ? "apply-thread.ts" : "apply-thread.js", import.meta.url);
    const thread = new Worker(script, { workerData: options });
    this.#thread = thread;
    const done = Promise.withResolvers<void>();
    this.done = done.promise;
    const fail = (error: Error): void => {
      this.#ready.resolve(); // or never
      this.#failed.abort(error);
    };
    thread.on("error", fail);
    const onExit = (): void => fail(new Error("the thread that unpacks has ended"));
    thread.on("exit", onExit);
    thread.on("message", (message: FromThread) => {
      switch (message.kind) {
        case "ready":
          return this.#ready.resolve();
        case "took":
          return this.#took(message.bytes);
        case "done":
          thread.off("exit", onExit); // it may come in the same turn, and then before whoever waits for this
          return done.resolve();
        case "disk full":
          return fail(new DiskFullError(`the image does not fit on the disk: ${message.message}`, { hint: roomHint }));
        case "failed":
          return fail(errorOf(message.failure));
      }
    });
  }

  /** Aborted when the thread has failed, with the reason. */
  get failed(): AbortSignal {
    return this.#failed.signal;
  }

  /** Resolves when more may follow. */
  async take(bytes: Uint8Array): Promise<void> {
    this.#tell({ kind: "bytes", bytes });
    this.#underWay += bytes.length;
    if (this.#underWay < ahead) return;
    this.#room = Promise.withResolvers<void>();
    await this.#room.promise;
  }

  end(): void {
    this.#tell({ kind: "end" });
  }

  /** Not while its code is loaded: what declares system calls takes the whole process along when it is broken off. */
  async terminate(): Promise<void> {
    await this.#ready.promise;
    await this.#thread.terminate();
  }

  #tell(message: ToThread): void {
    this.#thread.postMessage(message, []);
  }

  #took(bytes: number): void {
    this.#underWay -= bytes;
    if (this.#underWay < ahead) this.#room.resolve();
  }
}

const roomHint = "make room on the disk of the cache folder (LYDIAN_CACHE, or /var/cache/lydian)";
