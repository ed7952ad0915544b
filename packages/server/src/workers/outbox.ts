/** What waits to be sent on a session: pushed by anyone, taken by the one stream. */
export class Outbox<T> implements AsyncIterable<T> {
  readonly #messages: T[] = [];
  #wake: (() => void) | undefined;
  #closed = false;

  push(message: T): void {
    if (this.#closed) return;
    this.#messages.push(message);
    this.#wake?.();
  }

  /** What was pushed before still goes out. */
  close(): void {
    this.#closed = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    for (;;) {
      const next = this.#messages.shift();
      if (next !== undefined) yield next;
      else if (this.#closed) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
