/** What workers are asked, and their answers: each asked once, and waited for as long as its session lasts. */
import { type Clock, randomText } from "@lydian/kit";

export interface QuestionOptions {
  /** How long an answer may take. */
  answerMs: number;
  /** What is said to whoever waits when the worker goes away, or is silent for too long. */
  silent: (workerId: string) => Error;
}

export class Questions<Answer> {
  readonly #clock: Clock;
  readonly #options: QuestionOptions;
  readonly #asked = new Map<string, { workerId: string; answer: PromiseWithResolvers<Answer> }>();

  constructor(clock: Clock, options: QuestionOptions) {
    this.#clock = clock;
    this.#options = options;
  }

  /** `send` gets the id that the answer will have. */
  async ask(workerId: string, send: (id: string) => void): Promise<Answer> {
    const { answerMs, silent } = this.#options;
    const id = randomText(16);
    const answer = Promise.withResolvers<Answer>();
    this.#asked.set(id, { workerId, answer });
    using _patience = this.#clock.timer(answerMs, () => answer.reject(silent(workerId)));
    try {
      send(id);
      return await answer.promise;
    } finally {
      this.#asked.delete(id);
    }
  }

  /** One that nobody waits for any more changes nothing: answers false then. */
  answered(id: string, answer: Answer): boolean {
    const asked = this.#asked.get(id);
    asked?.answer.resolve(answer);
    return asked !== undefined;
  }

  refused(id: string, error: Error): void {
    this.#asked.get(id)?.answer.reject(error);
  }

  /** The worker's session is over. */
  left(workerId: string): void {
    const { silent } = this.#options;
    for (const asked of this.#asked.values()) if (asked.workerId === workerId) asked.answer.reject(silent(workerId));
  }
}
