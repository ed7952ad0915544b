/** A clock that tests advance, and a log that they can wait for. */
import type { Clock, Logger, Timer } from "@lydian/kit";

export class ManualClock implements Clock {
  #now = 1_000_000;
  readonly #pending = new Set<{ at: number; fire: () => void }>();

  now(): number {
    return this.#now;
  }

  timer(delayMs: number, fire: () => void): Timer {
    const entry = { at: this.#now + delayMs, fire };
    this.#pending.add(entry);
    const timer: Timer = { unref: () => timer, [Symbol.dispose]: () => void this.#pending.delete(entry) };
    return timer;
  }

  advance(ms: number): void {
    this.#now += ms;
    for (const entry of [...this.#pending].filter(({ at }) => at <= this.#now)) {
      if (this.#pending.delete(entry)) entry.fire();
    }
  }
}

export class RecordingLog {
  readonly #lines: string[] = [];
  #wake = Promise.withResolvers<void>();
  #read = 0;

  readonly logger: Logger = (() => {
    const add = (_fields: object, message: string): void => {
      this.#lines.push(message);
      this.#wake.resolve();
      this.#wake = Promise.withResolvers<void>();
    };
    return { debug: add, info: add, warn: add, error: add, fatal: add, child: () => this.logger } as unknown as Logger;
  })();

  /** What has been written so far is of no interest. */
  pass(): void {
    this.#read = this.#lines.length;
  }

  /** The next message that has this text, among those not passed yet. */
  async next(text: string): Promise<string> {
    for (;;) {
      while (this.#read < this.#lines.length) {
        const line = this.#lines[this.#read++] ?? "";
        if (line.includes(text)) return line;
      }
      await this.#wake.promise;
    }
  }
}
