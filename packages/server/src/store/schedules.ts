/** SQL of schedules. */
import type { DatabaseSync } from "node:sqlite";

import type { ScheduledRun, Schedule, ScheduleRule, Schedules } from "../domain/schedule.ts";
import { type Nullable, parseOnce, prepare } from "./sql.ts";

type Row = Omit<Schedule, "rule" | "last"> & {
  rule: string;
  lastDueAt: Nullable<number>;
  lastCallId: Nullable<ScheduledRun["callId"]>;
};

const columns = `function_id AS functionId, app_id AS appId, rule, format, anchor, due_at AS dueAt, set_at AS setAt,
  last_due_at AS lastDueAt, last_call_id AS lastCallId`;

const toRule = parseOnce((text) => JSON.parse(text) as ScheduleRule);
const toSchedule = ({ lastDueAt, lastCallId, ...row }: Row): Schedule => ({
  ...row,
  rule: toRule(row.rule),
  last: lastDueAt === null || lastCallId === null ? undefined : { dueAt: lastDueAt, callId: lastCallId },
});

export function schedulesIn(database: DatabaseSync): Schedules {
  const put = prepare(
    database,
    `INSERT INTO schedules (function_id, app_id, rule, format, anchor, due_at, set_at, last_due_at, last_call_id)
     VALUES (:functionId, :appId, :rule, :format, :anchor, :dueAt, :setAt, :lastDueAt, :lastCallId)
     ON CONFLICT (function_id) DO UPDATE SET rule = :rule, format = :format, anchor = :anchor, due_at = :dueAt, set_at = :setAt,
       last_due_at = :lastDueAt, last_call_id = :lastCallId`,
  );
  const advance = prepare(
    database,
    `UPDATE schedules SET due_at = :dueAt, set_at = :setAt, last_due_at = :lastDueAt, last_call_id = :lastCallId
     WHERE function_id = :functionId`,
  );
  const get = prepare<Row>(database, `SELECT ${columns} FROM schedules WHERE function_id = :functionId`);
  const remove = prepare(database, `DELETE FROM schedules WHERE function_id = :functionId`);
  const ofApp = prepare<Row>(database, `SELECT ${columns} FROM schedules WHERE app_id = :appId ORDER BY function_id`);
  const due = prepare<Row>(
    database,
    `SELECT ${columns} FROM schedules WHERE due_at <= :now ORDER BY due_at LIMIT :limit`,
  );
  const first = prepare<{ dueAt: number }>(database, `SELECT due_at AS dueAt FROM schedules ORDER BY due_at LIMIT 1`);
  const setAfter = prepare<Row>(database, `SELECT ${columns} FROM schedules WHERE set_at > :now`);
  const all = prepare<Row>(database, `SELECT ${columns} FROM schedules ORDER BY due_at`);
  return {
    put: async ({ rule, last, ...schedule }) =>
      void put.run({
        ...schedule,
        rule: JSON.stringify(rule),
        lastDueAt: last?.dueAt ?? null,
        lastCallId: last?.callId ?? null,
      }),
    advance: async (functionId, { dueAt, setAt, last }) =>
      void advance.run({ functionId, dueAt, setAt, lastDueAt: last?.dueAt ?? null, lastCallId: last?.callId ?? null }),
    get: async (functionId) => {
      const row = get.one({ functionId });
      return row && toSchedule(row);
    },
    remove: async (functionId) => void remove.run({ functionId }),
    ofApp: async (appId) => ofApp.all({ appId }).map(toSchedule),
    due: async (now, limit) => due.all({ now, limit }).map(toSchedule),
    nextDue: async () => first.one({})?.dueAt,
    setAfter: async (now) => setAfter.all({ now }).map(toSchedule),
    all: async () => all.all().map(toSchedule),
  };
}
