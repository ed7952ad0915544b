/** SQL of the inputs of functions in order of time. A function's calls are found by the time that they were made. */
import type { DatabaseSync } from "node:sqlite";

import type { CallHistory, HistoryEntry, HistorySpan } from "../domain/call-history.ts";
import { list, type Nullable, orUndefined, prepare } from "./sql.ts";

type Row = Omit<HistoryEntry, "startedAt" | "endedAt" | "containerId" | "resultHead"> & {
  startedAt: Nullable<number>;
  endedAt: Nullable<number>;
  containerId: Nullable<string>;
  resultHead: Nullable<Uint8Array>;
};

const toEntry = ({ startedAt, endedAt, containerId, resultHead, ...row }: Row): HistoryEntry => ({
  ...row,
  startedAt: orUndefined(startedAt),
  endedAt: orUndefined(endedAt),
  containerId: orUndefined(containerId),
  resultHead: orUndefined(resultHead),
});

// Results may be large, and how an input ended is said by the first field.
const entries = `SELECT inputs.call_id AS callId, method, queued_at AS queuedAt,
    ifnull(outputs.started_at, claimed_at) AS startedAt, outputs.created_at AS endedAt,
    ifnull(outputs.container_id, inputs.container_id) AS containerId,
    CASE inputs.state WHEN 'done' THEN 'ended' WHEN 'claimed' THEN 'runs' ELSE 'waits' END AS state,
    substr(result, 1, 16) AS resultHead
  FROM calls INDEXED BY calls_by_function CROSS JOIN inputs ON inputs.call_id = calls.id LEFT JOIN outputs ON entry = output
  WHERE calls.function_id = :functionId AND calls.created_at >= :since AND calls.created_at < :until`;

export function callHistoryIn(database: DatabaseSync): CallHistory {
  const order = (by: "ASC" | "DESC"): string =>
    `ORDER BY calls.created_at ${by}, calls.rowid ${by}, inputs.idx ${by} LIMIT :limit`;
  const newest = prepare<Row>(database, `${entries} ${order("DESC")}`);
  const oldest = prepare<Row>(database, `${entries} ${order("ASC")}`);
  const counts = prepare<{ bucket: number; inputs: number }>(
    database,
    `SELECT CAST((created_at - :since) / :bucketMs AS INTEGER) AS bucket, sum(inputs) AS inputs
     FROM calls INDEXED BY calls_by_function
     WHERE function_id IN (SELECT value FROM json_each(:functionIds)) AND created_at >= :since AND created_at < :until
     GROUP BY bucket ORDER BY bucket`,
  );
  const ofAll = (
    { functionIds, since, until }: HistorySpan,
    limit: number,
    { rows, by }: { rows: typeof newest; by: 1 | -1 },
  ): HistoryEntry[] => {
    const found = functionIds.flatMap((functionId) => rows.all({ functionId, since, until, limit }).map(toEntry));
    if (functionIds.length === 1) return found;
    return found.toSorted((a, b) => by * (a.queuedAt - b.queuedAt)).slice(0, limit);
  };
  const ever = { since: 0, until: Number.MAX_SAFE_INTEGER };
  return {
    newest: async (functionIds, limit) => ofAll({ functionIds, ...ever }, limit, { rows: newest, by: -1 }),
    between: async (span, limit) => ofAll(span, limit, { rows: oldest, by: 1 }),
    counts: async ({ functionIds, since, until }, bucketMs) =>
      counts.all({ functionIds: list(functionIds), since, until, bucketMs }),
  };
}
