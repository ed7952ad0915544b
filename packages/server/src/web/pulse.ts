/** Something that moves: who waits for it is woken by the next beat, and looks for themselves. */
export class Pulse {
  #waiting: (() => void)[] = [];

  beat(): void {
    const woken = this.#waiting;
    if (woken.length === 0) return;
    this.#waiting = [];
    for (const wake of woken) wake();
  }

  next(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}
