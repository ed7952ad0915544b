/** Notes together which calls are answered: one note for each would be a fourth of what a short call writes. */
import type { Clock, Logger } from "@lydian/kit";

import type { Store } from "../domain/store.ts";
import { acknowledge } from "./await.ts";

/** A note that is lost only means that outputs are kept for longer. */
const togetherMs = 200;
const mostTogether = 100;

export class Acknowledgements {
  readonly #deps: { store: Store; clock: Clock; log: Logger };
  #callIds: string[] = [];

  constructor(deps: { store: Store; clock: Clock; log: Logger }) {
    this.#deps = deps;
  }

  add(callId: string): void {
    this.#callIds.push(callId);
    if (this.#callIds.length === 1) this.#deps.clock.timer(togetherMs, () => this.#note()).unref();
    if (this.#callIds.length === mostTogether) this.#note();
  }

  #note(): void {
    const { store, clock, log } = this.#deps;
    const callIds = this.#callIds;
    this.#callIds = [];
    if (callIds.length === 0) return;
    const now = clock.now();
    const noted = store.note(async (tx) => {
      for (const callId of callIds) await acknowledge(tx, callId, now);
    });
    noted.catch((error: unknown) => log.warn({ err: error, calls: callIds.length }, "acknowledgements were not kept"));
  }
}
