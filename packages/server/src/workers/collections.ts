/** What workers are asked to remove, and their answers. */
import type { worker } from "@lydian/contract";
import type { Clock } from "@lydian/kit";

import { fail } from "../errors.ts";
import { Questions } from "./questions.ts";

/** Gigabytes in small files take minutes to delete. */
const answerMs = 600_000;

export class Collections {
  readonly #questions: Questions<worker.Collected>;

  constructor(clock: Clock) {
    this.#questions = new Questions(clock, { answerMs, silent });
  }

  /** `send` gets the id that the answer will have. */
  ask(workerId: string, send: (collectionId: string) => void): Promise<worker.Collected> {
    return this.#questions.ask(workerId, send);
  }

  answered(collected: worker.Collected): void {
    this.#questions.answered(collected.collectionId, collected);
  }

  left(workerId: string): void {
    this.#questions.left(workerId);
  }
}

function silent(workerId: string): Error {
  return fail("unavailable", `Worker ${workerId} went away, or did not say what it has removed.`, {
    hint: "Ask again: what is gone stays gone",
  });
}
