/** Promises of a program that fail with nobody waiting for them, such as a call's that is not awaited. */
export class StrayRejections {
  readonly #first = Promise.withResolvers<never>();
  #take: (error: unknown) => void = (error) => this.#first.reject(error);

  constructor() {
    this.#first.promise.catch(() => {}); // told to whoever asks
    process.on("unhandledRejection", (error) => this.#take(error));
  }

  /** Rejects with the first one. */
  get first(): Promise<never> {
    return this.#first.promise;
  }

  /** Those that come from now on go to `take`. */
  leaveTo(take: (error: unknown) => void): void {
    this.#take = take;
  }
}
