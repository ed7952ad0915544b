/** When a function of a deployed app starts by itself. */
import { create } from "@bufbuild/protobuf";
import { type Schedule as Wire, ScheduleSchema } from "@lydian/contract";

import { InvalidError } from "../errors.ts";

/** By the clock: five fields as in crontab, `new Cron("0 9 * * 1-5", { timezone: "Europe/Berlin" })`. In UTC unless it is said. */
export class Cron {
  /** @internal */
  readonly wire: Wire;

  constructor(expression: string, { timezone = "UTC" }: { timezone?: string } = {}) {
    if (expression.trim().split(/\s+/).length !== 5) {
      throw new InvalidError(`${JSON.stringify(expression)} has not the five fields of crontab`, {
        hint: 'such as "*/15 * * * *"',
      });
    }
    this.wire = create(ScheduleSchema, {
      scheduleOneof: { case: "cron", value: { cronString: expression, timezone } },
    });
  }
}

/** Their sum is the time between two runs. */
export interface PeriodParts {
  /** Of 7 days. */
  weeks?: number;
  /** Of 24 hours. */
  days?: number;
  /** May have a fraction, as the others. */
  hours?: number;
  /** Of 60 seconds. */
  minutes?: number;
  /** At least one in all. */
  seconds?: number;
}

/** Again and again: after the sum of its parts. */
export class Period {
  /** @internal */
  readonly wire: Wire;

  constructor(parts: PeriodParts) {
    const wrong = Object.entries(parts).find(([, amount]) => !(Number.isFinite(amount) && (amount as number) >= 0));
    if (wrong !== undefined)
      throw new InvalidError(`${wrong[0]} of a period is ${String(wrong[1])}, and has to be a number from 0 on`);
    if (Object.values(parts).every((amount) => amount === 0))
      throw new InvalidError("a period takes no time at all", { hint: "such as new Period({ hours: 4 })" });
    this.wire = create(ScheduleSchema, { scheduleOneof: { case: "period", value: parts } });
  }
}
