/** When a rule wants the next run. */
import { Cron } from "croner";

import { type CronRule, nextOfPeriod, type ScheduleRule } from "../domain/schedule.ts";

/**
 * The first moment after `after` that the rule names; undefined when there is none. Throws for a cron rule that is none.
 *
 * Where summer time begins or ends, a cron rule follows Vixie cron: one that names its hours and minutes runs once on
 * such a day, and at the first moment after a gap that it lies in; one with a wildcard or a step has no run in the gap, and
 * runs in both of the hours that are the same.
 */
export function nextRun(rule: ScheduleRule, anchor: number, after: number): number | undefined {
  return rule.kind === "cron" ? nextOfCron(rule, after) : nextOfPeriod(rule, anchor, after);
}

/** The same for many that are asked about one moment: most share a few cron rules, each of which is computed once. */
export function nextRunsAfter(after: number): (rule: ScheduleRule, anchor: number) => number | undefined {
  const known = new Map<string, number | undefined>();
  return (rule, anchor) => {
    if (rule.kind === "period") return nextRun(rule, anchor, after);
    const key = `${rule.timezone} ${rule.expression}`;
    if (!known.has(key)) known.set(key, nextRun(rule, anchor, after));
    return known.get(key);
  };
}

function nextOfCron({ expression, timezone }: CronRule, after: number): number | undefined {
  const options = { paused: true, timezone, mode: "5-part", fixedTimeRule: "no-wildcard" } as const;
  return new Cron(expression, options).nextRun(new Date(after))?.getTime();
}
