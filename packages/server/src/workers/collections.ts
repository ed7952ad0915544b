/** What workers are asked to remove, and their answers: each asked once, and waited for as long as its session lasts. */
import type { worker } from "@lydian/contract";
import { type Clock, randomText } from "@lydian/kit";

import { fail } from "../errors.ts";

/** Gigabytes in small files take minutes to delete. */
const answerMs = 600_000;

interface Asked {
  readonly workerId: string;
  readonly answer: PromiseWithResolvers<worker.Collected>;
}

export class Collections {
  readonly #clock: Clock;
  readonly #asked = new Map<string, Asked>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `send` gets the id that the answer will have. */
  async ask(workerId: string, send: (collectionId: string) => void): Promise<worker.Collected> {
    const id = randomText(16);
    const answer = Promise.withResolvers<worker.Collected>();
    this.#asked.set(id, { workerId, answer });
    using _patience = this.#clock.timer(answerMs, () => answer.reject(silent(workerId)));
    try {
      send(id);
      return await answer.promise;
    } finally {
      this.#asked.delete(id);
    }
  }

  /** One that nobody waits for any more changes nothing. */
  answered(collected: worker.Collected): void {
    this.#asked.get(collected.collectionId)?.answer.resolve(collected);
  }

  /** The worker's session is over. */
  left(workerId: string): void {
    for (const asked of this.#asked.values()) if (asked.workerId === workerId) asked.answer.reject(silent(workerId));
  }
}

function silent(workerId: string): Error {
  return fail("unavailable", `Worker ${workerId} went away, or did not say what it has removed.`, {
    hint: "Ask again: what is gone stays gone",
  });
}
