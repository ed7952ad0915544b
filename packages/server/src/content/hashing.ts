/**
 * Hashes and writes what is uploaded in a thread of its own (hashing-thread.ts), so that the event loop has no more to do with
 * it than to take it from the network. Bytes go there through memory that both have, a batch at a time: a body that comes
 * slowly keeps nobody's place.
 */
import { extname } from "node:path";
import { Worker } from "node:worker_threads";

export type HashName = "md5" | "sha256";

export type ToHashing =
  | { readonly kind: "begin"; readonly id: number; readonly hashes: readonly HashName[]; readonly descriptor?: number }
  | { readonly kind: "batch"; readonly id: number; readonly slot: number; readonly length: number }
  | { readonly kind: "end"; readonly id: number };

export type FromHashing =
  | { readonly kind: "loaded" }
  | { readonly kind: "free"; readonly slot: number }
  | { readonly kind: "ended"; readonly id: number; readonly digests: readonly (readonly [HashName, string])[] }
  | { readonly kind: "failed"; readonly id: number; readonly message: string; readonly code: string | undefined };

/** Of one batch. */
const slotBytes = 1024 * 1024;
const slots = 8;

interface Job {
  readonly ended: PromiseWithResolvers<ReadonlyMap<HashName, string>>;
  failure: Error | undefined;
}

export class Hashing {
  readonly #memory = new SharedArrayBuffer(slots * slotBytes);
  readonly #free = Array.from({ length: slots }, (_, slot) => slot);
  readonly #waiting: ((slot: number) => void)[] = [];
  readonly #jobs = new Map<number, Job>();
  readonly #loaded = Promise.withResolvers<void>();
  #thread: Worker | undefined;
  #lastId = 0;

  /** Resolves when the thread's code is loaded: later the process may not have the right to read it. */
  async load(): Promise<void> {
    this.#start();
    await this.#loaded.promise;
  }

  #start(): void {
    if (this.#thread !== undefined) return;
    const script = new URL(`hashing-thread${extname(import.meta.url)}`, import.meta.url);
    const thread = new Worker(script, { workerData: this.#memory });
    thread.on("message", (message: FromHashing) => this.#hear(message));
    thread.on("error", (error) => this.#ended(error));
    thread.unref();
    this.#thread = thread;
  }

  /** Writes to the end of the file that the descriptor is of, when there is one. Whoever begins ends. */
  begin(hashes: readonly HashName[], descriptor: number | undefined): number {
    this.#start();
    const id = ++this.#lastId;
    const job: Job = { ended: Promise.withResolvers(), failure: undefined };
    job.ended.promise.catch(() => {}); // told to who ends it
    this.#jobs.set(id, job);
    this.#thread?.ref();
    this.#tell({ kind: "begin", id, hashes, ...(descriptor !== undefined && { descriptor }) });
    return id;
  }

  /** Resolves when it has been copied. */
  async add(id: number, chunks: readonly Uint8Array[]): Promise<void> {
    let [slot, at] = [-1, slotBytes];
    const send = (): void => {
      if (slot !== -1) this.#tell({ kind: "batch", id, slot, length: at });
    };
    for (const chunk of chunks) {
      for (let from = 0; from < chunk.length;) {
        if (at === slotBytes) {
          send();
          [slot, at] = [-1, 0];
          const failure = this.#jobs.get(id)?.failure;
          if (failure !== undefined) throw failure;
          slot = await this.#place();
        }
        const part = chunk.subarray(from, from + slotBytes - at);
        new Uint8Array(this.#memory, slot * slotBytes + at).set(part);
        at += part.length;
        from += part.length;
      }
    }
    send();
  }

  /** When this is answered nothing is written any more, whatever it is. Rejects when something could not be written. */
  async end(id: number): Promise<ReadonlyMap<HashName, string>> {
    this.#tell({ kind: "end", id });
    try {
      return await (this.#jobs.get(id) as Job).ended.promise;
    } finally {
      this.#jobs.delete(id);
      if (this.#jobs.size === 0) this.#thread?.unref();
    }
  }

  async #place(): Promise<number> {
    return this.#free.pop() ?? (await new Promise<number>((resolve) => this.#waiting.push(resolve)));
  }

  #hear(message: FromHashing): void {
    switch (message.kind) {
      case "loaded":
        return this.#loaded.resolve();
      case "free": {
        const next = this.#waiting.shift();
        if (next === undefined) this.#free.push(message.slot);
        else next(message.slot);
        return;
      }
      case "ended":
        return this.#jobs.get(message.id)?.ended.resolve(new Map(message.digests));
      case "failed": {
        const job = this.#jobs.get(message.id);
        const error = Object.assign(new Error(message.message), { code: message.code });
        if (job !== undefined) job.failure ??= error;
        job?.ended.reject(error);
      }
    }
  }

  /** It never does by itself. */
  #ended(error: unknown): void {
    throw error;
  }

  #tell(message: ToHashing): void {
    this.#thread?.postMessage(message);
  }
}

/** Of this process. */
export const hashing = new Hashing();
