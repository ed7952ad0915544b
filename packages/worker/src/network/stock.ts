/** Things that are made ahead, so that some always wait ready; who comes when none does gets the next one, in order. */
import { backoffMs, type Clock, type Timer } from "@lydian/kit";

export interface StockOptions<T> {
  /** How many wait ready. */
  readonly size: number;
  /** How many are made at once at most. */
  readonly atOnce: number;
  readonly make: () => Promise<T>;
  /** Told of each failure. Whoever waits longest is told as well; for the stock itself it is tried again later. */
  readonly onFailure: (error: unknown) => void;
  readonly closedError: () => Error;
  readonly clock: Clock;
}

/** What is taken is made again when whoever took it no longer needs the processor for what it took it for. */
const afterTakeMs = 250;

const failureBackoff = { initialMs: 500, factor: 2, maxMs: 30_000 };

export class Stock<T> {
  readonly #options: StockOptions<T>;
  readonly #ready: T[] = [];
  readonly #waiters: PromiseWithResolvers<T>[] = [];
  readonly #making = new Set<Promise<void>>();
  #failures = 0;
  #pause: Timer | undefined;
  #isClosed = false;

  /** Begins at once. */
  constructor(options: StockOptions<T>) {
    this.#options = options;
    this.#refill();
  }

  get readyCount(): number {
    return this.#ready.length;
  }

  async take(signal?: AbortSignal): Promise<T> {
    if (this.#isClosed) throw this.#options.closedError();
    signal?.throwIfAborted();
    const ready = this.#ready.shift();
    if (ready === undefined) return this.#wait(signal);
    if (this.#pause === undefined) this.#restFor(afterTakeMs);
    return ready;
  }

  /** Answers what was ready, also what was still being made. */
  async close(): Promise<T[]> {
    this.#isClosed = true;
    this.#pause?.[Symbol.dispose]();
    for (const waiter of this.#waiters.splice(0)) waiter.reject(this.#options.closedError());
    await Promise.all(this.#making);
    return this.#ready.splice(0);
  }

  async #wait(signal?: AbortSignal): Promise<T> {
    const waiter = Promise.withResolvers<T>();
    const onAbort = (): void => {
      const at = this.#waiters.indexOf(waiter);
      if (at === -1) return; // it has just got its thing
      this.#waiters.splice(at, 1);
      waiter.reject(signal?.reason);
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    this.#waiters.push(waiter);
    this.#refill();
    try {
      return await waiter.promise;
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  /** Begins to make what is missing; while it rests, only for those who wait. */
  #refill(): void {
    if (this.#isClosed) return;
    const { size, atOnce } = this.#options;
    const stock = this.#pause === undefined ? size : 0;
    const missing = stock + this.#waiters.length - this.#ready.length - this.#making.size;
    const begin = Math.min(missing, atOnce - this.#making.size);
    for (let i = 0; i < begin; i++) {
      const making: Promise<void> = this.#makeOne().finally(() => {
        this.#making.delete(making);
        this.#refill();
      });
      this.#making.add(making);
    }
  }

  async #makeOne(): Promise<void> {
    const { make, onFailure } = this.#options;
    try {
      const made = await make();
      this.#failures = 0;
      const waiter = this.#waiters.shift();
      if (waiter === undefined) this.#ready.push(made);
      else waiter.resolve(made);
    } catch (error) {
      onFailure(error);
      this.#waiters.shift()?.reject(error);
      this.#restAfterFailure();
    }
  }

  #restAfterFailure(): void {
    if (this.#isClosed) return;
    this.#failures++;
    this.#restFor(backoffMs(failureBackoff, this.#failures));
  }

  #restFor(ms: number): void {
    this.#pause?.[Symbol.dispose]();
    this.#pause = this.#options.clock.timer(ms, () => {
      this.#pause = undefined;
      this.#refill();
    });
    this.#pause.unref();
  }
}
