/** The owner's side of the thread that enters network namespaces. */
import { Worker } from "node:worker_threads";

import type { Answer, Jobs, Request } from "./namespace-thread.ts";

type Job = keyof Jobs;

export class Namespaces {
  readonly #thread: Worker;
  readonly #pending = new Map<number, PromiseWithResolvers<unknown>>();
  #last = 0;
  #dead: Error | undefined;

  constructor() {
    // In the sources the file ends in .ts, in the built package in .js, as this one does.
    const file = `./namespace-thread${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`;
    this.#thread = new Worker(new URL(file, import.meta.url), {
      name: "namespaces",
      trackUnmanagedFds: false, // the descriptors that it makes are handed out
    });
    this.#thread.unref();
    this.#thread.on("message", (answer: Answer) => this.#settle(answer));
    this.#thread.on("error", (error) => this.#fail(error as Error));
    this.#thread.on("exit", () => this.#fail(new Error("the namespace thread has ended")));
  }

  /** Runs one of the thread's jobs; errors keep their code. */
  run<J extends Job>(job: J, ...args: Parameters<Jobs[J]>): Promise<ReturnType<Jobs[J]>> {
    if (this.#dead !== undefined) return Promise.reject(this.#dead);
    const id = ++this.#last;
    const pending = Promise.withResolvers<unknown>();
    this.#pending.set(id, pending);
    this.#thread.ref(); // a process waits for what it has asked
    this.#thread.postMessage({ id, job, args } satisfies Request, []);
    return pending.promise as Promise<ReturnType<Jobs[J]>>;
  }

  async close(): Promise<void> {
    await this.#thread.terminate();
  }

  #settle(answer: Answer): void {
    const pending = this.#pending.get(answer.id);
    this.#pending.delete(answer.id);
    if (this.#pending.size === 0) this.#thread.unref();
    if ("value" in answer) pending?.resolve(answer.value);
    else pending?.reject(answer.code === undefined ? answer.error : Object.assign(answer.error, { code: answer.code }));
  }

  #fail(error: Error): void {
    this.#dead ??= error;
    for (const pending of this.#pending.values()) pending.reject(this.#dead);
    this.#pending.clear();
  }
}
