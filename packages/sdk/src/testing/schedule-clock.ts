/** A clock that a test advances, and what is due by it. */
import { Cron } from "croner";

import type { Definition } from "../definition.ts";

export class ScheduleClock {
  #now: Date;
  readonly #next: Map<Definition, Date>;

  constructor(now: Date, scheduled: readonly Definition[]) {
    this.#now = now;
    this.#next = new Map(scheduled.map((definition) => [definition, dueAfter(definition, now)]));
  }

  now(): Date {
    return this.#now;
  }

  async advance(seconds: number, run: (definition: Definition) => Promise<void>): Promise<void> {
    const until = new Date(this.#now.getTime() + seconds * 1000);
    for (;;) {
      const [first] = [...this.#next].toSorted(([, a], [, b]) => a.getTime() - b.getTime());
      if (first === undefined || first[1] > until) break;
      const [definition, due] = first;
      this.#now = due;
      this.#next.set(definition, dueAfter(definition, due));
      await run(definition);
    }
    this.#now = until;
  }
}

const never = new Date(8_640_000_000_000_000);

function dueAfter({ options }: Definition, now: Date): Date {
  const schedule = options.schedule?.wire.scheduleOneof;
  switch (schedule?.case) {
    case "cron": {
      const { cronString, timezone } = schedule.value;
      return new Cron(cronString, { timezone: timezone || "UTC" }).nextRun(now) ?? never;
    }
    case "period": {
      const { weeks, days, hours, minutes, seconds } = schedule.value;
      const all = (((weeks * 7 + days) * 24 + hours) * 60 + minutes) * 60 + seconds;
      return new Date(now.getTime() + all * 1000);
    }
    default:
      return never;
  }
}
