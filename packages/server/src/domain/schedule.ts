/** When a function is called by itself: rules, and the moments that they name. Times are milliseconds since the epoch. */
import type { Id } from "@lydian/kit";

/**
 * `cron`: at moments of the clock on the wall of a time zone. `period`: so much time after each other, counted from the
 * deployment on, in UTC: months of the calendar, then days, then milliseconds.
 */
export type ScheduleRule = CronRule | Period;

export interface CronRule {
  kind: "cron";
  /** Five fields, minute to day of week. */
  expression: string;
  /** As the IANA names it. */
  timezone: string;
}

export interface Period {
  kind: "period";
  months: number;
  days: number;
  ms: number;
}

export interface Schedule {
  functionId: Id<"fu">;
  appId: Id<"ap">;
  rule: ScheduleRule;
  /** In which its function is given that it has no arguments. */
  format: "pickle" | "cbor";
  /** From when on a period is counted. */
  anchor: number;
  /** When the function is called next. */
  dueAt: number;
  /** When that was found, by the clock of then. */
  setAt: number;
  /** The run before: the moment that it was due, and its call. */
  last: ScheduledRun | undefined;
}

export interface ScheduledRun {
  dueAt: number;
  callId: Id<"fc">;
}

export interface Schedules {
  /** Inserts or replaces. */
  put(schedule: Schedule): Promise<void>;
  /** It has run, and is what it was otherwise. */
  advance(functionId: string, to: Pick<Schedule, "dueAt" | "setAt" | "last">): Promise<void>;
  get(functionId: string): Promise<Schedule | undefined>;
  remove(functionId: string): Promise<void>;
  ofApp(appId: string): Promise<Schedule[]>;
  /** Those whose moment has come, the earliest first. */
  due(now: number, limit: number): Promise<Schedule[]>;
  /** When the next one is due. */
  nextDue(): Promise<number | undefined>;
  /** Those whose moment was set later than now, which a clock did that has gone back since. */
  setAfter(now: number): Promise<Schedule[]>;
  /** In the order of their moments. */
  all(): Promise<Schedule[]>;
}

/** The shortest time between two runs. */
export const shortestMs = 1_000;

const dayMs = 86_400_000;
const averageMonthMs = 30.436875 * dayMs;

/** The first end of a period after `after`; undefined when it lies beyond the last date that there is. */
export function nextOfPeriod(rule: Period, anchor: number, after: number): number | undefined {
  const { months, days, ms } = rule;
  const length = months * averageMonthMs + days * dayMs + ms;
  let count = Math.max(1, Math.floor((after - anchor) / length) - 1);
  while (endOf(rule, anchor, count) <= after) count++;
  const moment = endOf(rule, anchor, count);
  return Number.isFinite(moment) ? moment : undefined;
}

/** Of the period with this number. Counted from the anchor, not from the run before: the 31st stays it beyond a shorter month. */
function endOf({ months, days, ms }: Period, anchor: number, count: number): number {
  const date = new Date(anchor);
  const day = date.getUTCDate();
  date.setUTCDate(1);
  date.setUTCMonth(date.getUTCMonth() + months * count);
  const lastDay = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate();
  date.setUTCDate(Math.min(day, lastDay));
  return date.getTime() + Math.round(count * (days * dayMs + ms));
}

/** The rule in the words of whoever wrote it. */
export function ruleText(rule: ScheduleRule): string {
  if (rule.kind === "cron") return `by cron "${rule.expression}" in ${rule.timezone}`;
  const parts: readonly (readonly [number, string])[] = [
    [Math.trunc(rule.months / 12), "year"],
    [rule.months % 12, "month"],
    [rule.days, "day"],
    [Math.trunc(rule.ms / 3_600_000), "hour"],
    [Math.trunc((rule.ms % 3_600_000) / 60_000), "minute"],
    [(rule.ms % 60_000) / 1000, "second"],
  ];
  const named = parts
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}${count === 1 ? "" : "s"}`);
  return `every ${named.join(", ")}`;
}
