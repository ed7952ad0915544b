/** The loop of whoever acts on what stands in a store: one look, then a sleep until a bell rings or a moment has come. */
import type { Bells } from "./bells.ts";
import { type Clock, sleep, type Timer } from "./clock.ts";

export interface LookoutOptions {
  readonly bells: Bells;
  readonly clock: Clock;
  /** Rung for a moment that has come. */
  readonly bell: string;
  /** What else it hears; asked again when a look answers true. */
  readonly others?: () => readonly string[];
  /** Answers true when it wants to hear other bells from now on. */
  readonly look: () => Promise<true | undefined>;
  readonly onFailure: (error: unknown) => void;
}

/** No look is ever later than this after the one before: a guard against a moment that was miscounted. */
const longestPauseMs = 60_000;

/** Between a look that failed and the next try. */
const failurePauseMs = 1_000;

export class Lookout {
  readonly #options: LookoutOptions;
  readonly #closing = new AbortController();
  #alarm: Timer | undefined;
  #loop: Promise<void> = Promise.resolve();

  constructor(options: LookoutOptions) {
    this.#options = options;
  }

  start(): void {
    this.#loop = this.#run();
  }

  /** Resolves when no look is under way any more. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#loop;
    this.#alarm?.[Symbol.dispose]();
  }

  /** The next look is at that moment, or before; `Infinity`: whenever a bell rings. Instead of what was set before. */
  setAlarm(at: number): void {
    const { bells, clock, bell } = this.#options;
    this.#alarm?.[Symbol.dispose]();
    const delayMs = Math.max(0, at - clock.now());
    if (delayMs < longestPauseMs) this.#alarm = clock.timer(delayMs, () => bells.ring(bell));
  }

  async #run(): Promise<void> {
    const { bells, clock, bell, others, look, onFailure } = this.#options;
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        await bells.until([bell, ...(others?.() ?? [])], look, { clock, waitMs: longestPauseMs, signal });
      } catch (error) {
        if (signal.aborted) return;
        onFailure(error);
        await sleep(clock, failurePauseMs, signal).catch(() => {}); // closing: the loop ends
      }
    }
  }
}
