/** SQL of the inputs of functions in order of time. A function's calls are found by the time that they were made. */
import type { DatabaseSync } from "node:sqlite";

import type { CallHistory, HistoryEntry, HistorySpan, PastInput } from "../domain/call-history.ts";
import { mostPast } from "../domain/statistics.ts";
import { list, type Nullable, orNull, orUndefined, prepare } from "./sql.ts";
import { firstOf } from "./statistics.ts";

type Optional = "startedAt" | "endedAt" | "containerId" | "resultHead" | "outcome";
type Row = Omit<HistoryEntry, Optional> & { [K in Optional]: Nullable<NonNullable<HistoryEntry[K]>> };

const toEntry = ({ startedAt, endedAt, containerId, resultHead, outcome, ...row }: Row): HistoryEntry => ({
  ...row,
  startedAt: orUndefined(startedAt),
  endedAt: orUndefined(endedAt),
  containerId: orUndefined(containerId),
  resultHead: orUndefined(resultHead),
  outcome: orUndefined(outcome),
});

// Results may be large, and how an input ended is said by the first field.
const kept = `SELECT inputs.call_id AS callId, method, queued_at AS queuedAt,
    ifnull(outputs.started_at, claimed_at) AS startedAt, outputs.created_at AS endedAt,
    ifnull(outputs.container_id, inputs.container_id) AS containerId,
    CASE inputs.state WHEN 'done' THEN 'ended' WHEN 'claimed' THEN 'runs' ELSE 'waits' END AS state,
    substr(result, 1, 16) AS resultHead, NULL AS outcome
  FROM calls INDEXED BY calls_by_function CROSS JOIN inputs ON inputs.call_id = calls.id LEFT JOIN outputs ON entry = output
  WHERE calls.function_id = :functionId AND calls.created_at >= :since AND calls.created_at < :until`;

const pastWhere = `FROM past_inputs WHERE function_id = :functionId AND queued_at >= :since AND queued_at < :until
    AND NOT EXISTS (SELECT 1 FROM calls WHERE id = call_id)`;
const past = `SELECT call_id AS callId, method, queued_at AS queuedAt, started_at AS startedAt, ended_at AS endedAt,
    container_id AS containerId, 'ended' AS state, NULL AS resultHead, outcome ${pastWhere}`;

export function callHistoryIn(database: DatabaseSync): CallHistory {
  const both = (by: "ASC" | "DESC"): ReturnType<typeof prepare<Row>>[] => [
    prepare(database, `${kept} ORDER BY calls.created_at ${by}, calls.rowid ${by}, inputs.idx ${by} LIMIT :limit`),
    prepare(database, `${past} ORDER BY queued_at ${by}, rowid ${by} LIMIT :limit`),
  ];
  const [newest, oldest] = [both("DESC"), both("ASC")];
  const counts = prepare<{ bucket: number; inputs: number }>(
    database,
    `SELECT CAST((at - :since) / :bucketMs AS INTEGER) AS bucket, sum(inputs) AS inputs FROM (
       SELECT created_at AS at, inputs FROM calls INDEXED BY calls_by_function
       WHERE function_id = :functionId AND created_at >= :since AND created_at < :until
       UNION ALL SELECT queued_at, 1 ${pastWhere})
     GROUP BY bucket`,
  );
  const ofAll = (
    { functionIds, since, until }: HistorySpan,
    limit: number,
    { statements, by }: { statements: typeof newest; by: 1 | -1 },
  ): HistoryEntry[] =>
    functionIds
      .flatMap((functionId) => statements.flatMap((rows) => rows.all({ functionId, since, until, limit }).map(toEntry)))
      .toSorted((a, b) => by * (a.queuedAt - b.queuedAt))
      .slice(0, limit);
  const ever = { since: 0, until: Number.MAX_SAFE_INTEGER };
  return {
    newest: async (functionIds, limit) => ofAll({ functionIds, ...ever }, limit, { statements: newest, by: -1 }),
    between: async (span, limit) => ofAll(span, limit, { statements: oldest, by: 1 }),
    counts: async ({ functionIds, since, until }, bucketMs) => {
      const sums = new Map<number, number>();
      for (const functionId of functionIds) {
        for (const { bucket, inputs } of counts.all({ functionId, since, until, bucketMs })) {
          sums.set(bucket, (sums.get(bucket) ?? 0) + inputs);
        }
      }
      return [...sums].map(([bucket, inputs]) => ({ bucket, inputs })).toSorted((a, b) => a.bucket - b.bucket);
    },
    ...pastIn(database),
  };
}

function pastIn(database: DatabaseSync): Pick<CallHistory, "add" | "forget" | "running"> {
  const insert = prepare(
    database,
    `INSERT INTO past_inputs (function_id, queued_at, call_id, idx, method, started_at, ended_at, container_id, outcome)
     VALUES (:functionId, :queuedAt, :callId, :index, :method, :startedAt, :endedAt, :containerId, :outcome)`,
  );
  const trim = prepare(
    database,
    `DELETE FROM past_inputs WHERE function_id = :functionId AND queued_at < (
       SELECT queued_at FROM past_inputs WHERE function_id = :functionId ORDER BY queued_at DESC LIMIT 1 OFFSET ${mostPast - 1})`,
  );
  const forget = prepare(
    database,
    "DELETE FROM past_inputs WHERE rowid IN (SELECT rowid FROM past_inputs WHERE ended_at < :before LIMIT :limit)",
  );
  const forgetFirst = prepare(database, firstOf("past_inputs"));
  const running = prepare<{ count: number }>(
    database,
    `SELECT count(*) AS count FROM (
       SELECT 1 FROM inputs INDEXED BY inputs_claimed
       WHERE state = 'claimed' AND function_id IN (SELECT value FROM json_each(:functionIds)) AND claimed_at < :at
         AND :containerId IN ('', container_id)
       UNION ALL SELECT 1 FROM past_inputs
       WHERE function_id IN (SELECT value FROM json_each(:functionIds)) AND started_at < :at AND ended_at >= :at
         AND :containerId IN ('', container_id))`,
  );
  return {
    add: async (ended: readonly PastInput[]) => {
      for (const { startedAt, containerId, ...each } of ended) {
        insert.run({ ...each, startedAt: orNull(startedAt), containerId: orNull(containerId) });
      }
      for (const functionId of new Set(ended.map((each) => each.functionId))) trim.run({ functionId });
    },
    forget: async (before, limit) => Math.max(forget.run({ before, limit }), forgetFirst.run({ limit })),
    running: async (functionIds, at, containerId = "") =>
      running.one({ functionIds: list(functionIds), at, containerId })?.count ?? 0,
  };
}
