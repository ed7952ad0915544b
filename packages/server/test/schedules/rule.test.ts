/** Schedules that clients ask for: what becomes of them, and in which words they are refused. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { FunctionSchema$, type ScheduleSchema } from "@lydian/contract";

import { ruleText } from "../../src/domain/schedule.ts";
import { isFail } from "../../src/errors.ts";
import { checkSchedule, scheduleRule } from "../../src/schedules/rule.ts";

type Asked = NonNullable<MessageInitShape<typeof ScheduleSchema>["scheduleOneof"]>;

const now = Date.parse("2026-01-31T00:00:00Z");
const asking = (scheduleOneof: Asked) => create(FunctionSchema$, { functionName: "work", schedule: { scheduleOneof } });
const cron = (cronString: string, timezone = "") => asking({ case: "cron", value: { cronString, timezone } });
const period = (value: Extract<Asked, { case: "period" }>["value"]) => asking({ case: "period", value });

describe("a schedule", () => {
  it("that is asked for in either way is a rule with words of its own", () => {
    const words = (definition: ReturnType<typeof asking>): string => {
      checkSchedule(definition, now);
      const rule = scheduleRule(definition);
      return rule === undefined ? "" : ruleText(rule);
    };
    assert.equal(words(cron("  0\t2 * *  1-5 ")), 'by cron "0 2 * * 1-5" in UTC');
    assert.equal(words(cron("@hourly", "Asia/Kathmandu")), 'by cron "@hourly" in Asia/Kathmandu');
    assert.equal(words(period({ years: 1, months: 14, weeks: 2, days: 1 })), "every 2 years, 2 months, 15 days");
    assert.equal(words(period({ hours: 25, minutes: 61, seconds: 1.5 })), "every 26 hours, 1 minute, 1.5 seconds");
    assert.equal(words(period({ seconds: Math.PI })), "every 3.142 seconds");
    assert.equal(scheduleRule(create(FunctionSchema$)), undefined);
  });

  it("that cannot be kept is refused when it is defined, with what is wrong", () => {
    const refused: readonly (readonly [ReturnType<typeof asking>, RegExp])[] = [
      [cron(""), /five fields/],
      [cron("* * * *"), /five fields/],
      [cron("0 * * * * *"), /five fields/],
      [cron("2030-01-01T00:00:00"), /five fields/],
      [cron("61 * * * *"), /minute: 61/],
      [cron("*/0 * * * *"), /stepping: 0/],
      [cron("@sometimes"), /work/],
      [cron("0 0 30 2 *"), /no moment that ever comes/],
      [cron("0 2 * * *", "Mars/Base"), /no such time zone/],
      [period({}), /shorter than 1 second/],
      [period({ seconds: 0.5 }), /shorter than 1 second/],
      [period({ days: 1, hours: -1 }), /negative/],
      [period({ years: 2_000_000 }), /beyond all dates/],
      [period({ seconds: Number.NaN }), /shorter|negative|beyond/],
      [period({ seconds: Number.POSITIVE_INFINITY }), /beyond all dates/],
    ];
    for (const [definition, words] of refused) {
      assert.throws(
        () => checkSchedule(definition, now),
        (error) =>
          isFail(error, "invalidArgument") && error.text.startsWith('Function "work"') && words.test(error.text),
        JSON.stringify(definition.schedule),
      );
    }
  });
});
