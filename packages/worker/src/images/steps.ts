/** Tells people what takes long: a line when a step has taken a second, and one with its time when it is done. */
import type { Clock } from "@lydian/kit";

/** What is over sooner is not worth a line. */
const silentMs = 1000;

export class Steps {
  readonly #clock: Clock;
  readonly #say: (line: string) => void;

  constructor(clock: Clock, say: (line: string) => void) {
    this.#clock = clock;
    this.#say = say;
  }

  /** `doing` and `done` as in "Installing pip" and "Installed pip". */
  async run<T>(doing: string, done: string, work: () => Promise<T>): Promise<T> {
    const beganMs = this.#clock.now();
    let said = false;
    using _timer = this.#clock.timer(silentMs, () => {
      said = true;
      this.#say(`${doing} …`);
    });
    const result = await work();
    if (said) this.#say(`${done} in ${((this.#clock.now() - beganMs) / 1000).toFixed(1)} s`);
    return result;
  }
}
