/** Has room made by whoever has something to give up: one at a time, and not again soon where there was nothing. */
import type { Clock, Logger } from "@lydian/kit";

export interface RoomMakerOptions {
  /** Frees so many bytes, if it can; answers how many. Absent: nobody has anything. */
  readonly free: ((bytes: number) => Promise<number>) | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** How long that nothing can be freed is taken to stay so. */
const nothingToFreeMs = 60_000;

export class RoomMaker {
  readonly #options: RoomMakerOptions;
  #making: Promise<number> | undefined;
  #notBefore = 0;

  constructor(options: RoomMakerOptions) {
    this.#options = options;
  }

  /** Answers how many bytes were freed. Never rejects. */
  make(bytes: number): Promise<number> {
    const { free, clock } = this.#options;
    if (free === undefined || clock.now() < this.#notBefore) return Promise.resolve(0);
    this.#making ??= this.#free(free, bytes).finally(() => (this.#making = undefined));
    return this.#making;
  }

  /** Whether something was freed in this time; what is under way then goes on. */
  async hasMade(bytes: number, withinMs: number): Promise<boolean> {
    const late = Promise.withResolvers<number>();
    using _patience = this.#options.clock.timer(withinMs, () => late.resolve(0));
    return (await Promise.race([this.make(bytes), late.promise])) > 0;
  }

  async #free(free: (bytes: number) => Promise<number>, bytes: number): Promise<number> {
    const { clock, logger } = this.#options;
    let freed = 0;
    try {
      freed = await free(bytes);
    } catch (error) {
      logger.error({ err: error }, "no room could be made on the data disk");
    }
    if (freed === 0) this.#notBefore = clock.now() + nothingToFreeMs;
    return freed;
  }
}
