/** The schedule that a definition asks for, checked: one that is refused is refused when it is defined, never when it is due. */
import type { Function } from "@lydian/contract";
import { messageOf } from "@lydian/kit";

import { ruleText, type ScheduleRule, shortestMs } from "../domain/schedule.ts";
import { fail } from "../errors.ts";
import type { Hint } from "../wording.ts";
import { nextRun } from "./next-run.ts";

/** Five fields, or a name for them such as @daily. */
const cronShape = /^(?:@[a-z]+|\S+(?: \S+){4})$/i;

/** Undefined when it asks for none. */
export function scheduleRule(definition: Function): ScheduleRule | undefined {
  const { scheduleOneof: asked } = definition.schedule ?? {};
  switch (asked?.case) {
    case undefined:
      return undefined;
    case "cron":
      return cronRule(asked.value);
    case "period":
      return periodRule(asked.value);
  }
}

/** Throws unless the definition's schedule can be kept from `now` on. */
export function checkSchedule(definition: Function, now: number): void {
  const rule = scheduleRule(definition);
  if (rule === undefined) return;
  const refuse = (why: string, hint: Hint): never => {
    throw fail("invalidArgument", `Function "${definition.functionName}" has the schedule ${ruleText(rule)}: ${why}.`, {
      hint,
    });
  };
  if (rule.kind === "cron") {
    const fields = "Write five fields, minute to day of week, as in";
    const hint = {
      python: `${fields} modal.Cron("0 2 * * *", timezone="Europe/Berlin")`,
      typescript: `${fields} new Cron("0 2 * * *", { timezone: "Europe/Berlin" })`,
    };
    if (!cronShape.test(rule.expression)) refuse("it has not five fields", hint);
    if (!isTimezone(rule.timezone)) refuse("there is no such time zone", "Name one of the IANA's, as Europe/Berlin");
    let at: number | undefined;
    try {
      at = nextRun(rule, now, now);
    } catch (error) {
      refuse(
        messageOf(error)
          .replace(/^CronPattern: /, "")
          .replace(/\.$/, ""),
        hint,
      );
    }
    if (at === undefined) refuse("it names no moment that ever comes", hint);
    return;
  }
  const hint = "Give a Period positive whole numbers; only seconds may have a fraction";
  if (Math.min(rule.months, rule.days, rule.ms) < 0) refuse("a part of it is negative", hint);
  const first = rule.months + rule.days + rule.ms === 0 ? now : nextRun(rule, now, now);
  if (first === undefined) refuse("its end lies beyond all dates", hint);
  else if (first - now < shortestMs) refuse(`it is shorter than ${shortestMs / 1000} second`, hint);
}

type Asked<Case extends string> = Extract<
  NonNullable<Function["schedule"]>["scheduleOneof"],
  { case: Case; value: unknown }
>["value"];

function cronRule({ cronString, timezone }: Asked<"cron">): ScheduleRule {
  return { kind: "cron", expression: cronString.trim().split(/\s+/).join(" "), timezone: timezone || "UTC" };
}

function periodRule({ years, months, weeks, days, hours, minutes, seconds }: Asked<"period">): ScheduleRule {
  const ms = Math.round(((hours * 60 + minutes) * 60 + seconds) * 1000);
  return { kind: "period", months: years * 12 + months, days: weeks * 7 + days, ms };
}

function isTimezone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone !== "";
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}
