/** Images that are not to be collected for a while, whether they are there yet or not. */
export class Pins {
  readonly #counts = new Map<string, number>();

  /** Until that is disposed of. */
  pin(id: string): Disposable {
    this.#counts.set(id, (this.#counts.get(id) ?? 0) + 1);
    return {
      [Symbol.dispose]: () => {
        const left = (this.#counts.get(id) ?? 0) - 1;
        if (left > 0) this.#counts.set(id, left);
        else this.#counts.delete(id);
      },
    };
  }

  has(id: string): boolean {
    return this.#counts.has(id);
  }
}
