/** What a person or a service manager says by signals: the first one asks for a clean stop, a second Ctrl-C insists. */
import type { Clock } from "@lydian/kit";

/** npm and its like pass a Ctrl-C on that the terminal has sent to everyone already: one wish, two signals. */
const sameWishMs = 500;

const stopping = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export class StopSignals implements Disposable {
  readonly #stop = Promise.withResolvers<void>();
  readonly #kill = Promise.withResolvers<void>();
  readonly #clock: Clock;
  #firstAt: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    for (const signal of stopping) process.on(signal, this.#onSignal);
  }

  /** Resolves at the first signal. */
  get stop(): Promise<void> {
    return this.#stop.promise;
  }

  /** Resolves when a second SIGINT comes. */
  get kill(): Promise<void> {
    return this.#kill.promise;
  }

  [Symbol.dispose](): void {
    for (const signal of stopping) process.off(signal, this.#onSignal);
  }

  readonly #onSignal = (signal: NodeJS.Signals): void => {
    const now = this.#clock.now();
    if (this.#firstAt === undefined) {
      this.#firstAt = now;
      this.#stop.resolve();
    } else if (signal === "SIGINT" && now - this.#firstAt >= sameWishMs) {
      this.#kill.resolve();
    }
  };
}
