/** Work that costs others something: one at a time, and rests between. */
import type { Clock } from "@lydian/kit";

export class PacedWork {
  readonly #clock: Clock;
  readonly #restFactor: number;
  #isBusy = false;
  #notBefore = 0;

  /** It rests `restFactor` times as long as it has worked. */
  constructor(clock: Clock, restFactor: number) {
    this.#clock = clock;
    this.#restFactor = restFactor;
  }

  /** Does nothing while an earlier call is at work, or rests. The work may answer how long it has to rest at least. */
  async run(work: () => Promise<number | void>): Promise<void> {
    const began = this.#clock.now();
    if (this.#isBusy || began < this.#notBefore) return;
    this.#isBusy = true;
    let restMs = 0;
    try {
      restMs = (await work()) ?? 0;
    } finally {
      const ended = this.#clock.now();
      this.#notBefore = ended + Math.max(restMs, this.#restFactor * (ended - began));
      this.#isBusy = false;
    }
  }
}
