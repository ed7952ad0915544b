/** What a container uses, as its runtime counts it: told by the minute while it runs, and once more at its end. */
import type { Clock, Logger, Timer } from "@lydian/kit";

import type { ProcessUsage } from "../runtime/runtime.ts";

/** Between two tellings. */
export interface Usage {
  /** Processor time. */
  readonly cpuMicroseconds: number;
  readonly overMs: number;
  /** At the end of that time; of one that has ended, the most that it ever had. */
  readonly memoryBytes: number;
}

const everyMs = 60_000;

export class UsageMeter {
  readonly #read: () => Promise<ProcessUsage>;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #tell: (usage: Usage) => void;
  #last: { cpuMicroseconds: number; at: number };
  #timer: Timer | undefined;

  private constructor(
    read: () => Promise<ProcessUsage>,
    first: ProcessUsage,
    { clock, logger, tell }: { clock: Clock; logger: Logger; tell: (usage: Usage) => void },
  ) {
    this.#read = read;
    this.#clock = clock;
    this.#logger = logger;
    this.#tell = tell;
    this.#last = { cpuMicroseconds: first.cpuMicroseconds, at: clock.now() };
  }

  /** Counts from now on: what was used before is not this worker's to tell, or nobody's. */
  static async begin(
    read: () => Promise<ProcessUsage>,
    parts: { clock: Clock; logger: Logger; tell: (usage: Usage) => void },
  ): Promise<UsageMeter> {
    const meter = new UsageMeter(read, await read(), parts);
    meter.#wait();
    return meter;
  }

  /** Its processes have ended, and what they used can still be read. */
  async finish(): Promise<void> {
    this.close();
    await this.#look(({ peakBytes, memoryBytes }) => peakBytes ?? memoryBytes);
  }

  close(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
  }

  #wait(): void {
    this.#timer = this.#clock.timer(everyMs, () => {
      void this.#look(({ memoryBytes }) => memoryBytes).then(() => {
        if (this.#timer !== undefined) this.#wait();
      });
    });
    this.#timer.unref();
  }

  async #look(memoryOf: (usage: ProcessUsage) => number): Promise<void> {
    try {
      const usage = await this.#read();
      const [at, before] = [this.#clock.now(), this.#last];
      this.#last = { cpuMicroseconds: usage.cpuMicroseconds, at };
      const cpuMicroseconds = Math.max(0, usage.cpuMicroseconds - before.cpuMicroseconds);
      if (at > before.at) this.#tell({ cpuMicroseconds, overMs: at - before.at, memoryBytes: memoryOf(usage) });
    } catch (error) {
      this.#logger.debug({ err: error }, "what a container uses could not be read");
    }
  }
}
