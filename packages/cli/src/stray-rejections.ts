/** Promises of a program that fail with nobody waiting for them, such as a call's that is not awaited. */
export class StrayRejections implements Disposable {
  readonly #first = Promise.withResolvers<never>();
  #take: (error: unknown) => void = (error) => this.#first.reject(error);
  readonly #listener = (error: unknown): void => this.#take(error);

  constructor() {
    this.#first.promise.catch(() => {}); // told to whoever asks
    process.on("unhandledRejection", this.#listener);
  }

  /** Rejects with the first one. */
  get first(): Promise<never> {
    return this.#first.promise;
  }

  /** Those that come from now on go to `take`. */
  leaveTo(take: (error: unknown) => void): void {
    this.#take = take;
  }

  [Symbol.dispose](): void {
    process.off("unhandledRejection", this.#listener);
  }
}
