/** SQL of what was counted. Tallies are JSON: nothing is sought by what is in them. */
import type { DatabaseSync } from "node:sqlite";

import {
  hour,
  minute,
  mostPast,
  type PastRequest,
  type Statistics,
  type TallyKey,
  type Window,
} from "../domain/statistics.ts";
import { add, compact, emptyTally, type Tally } from "../domain/tally.ts";
import { list, prepare } from "./sql.ts";

/** Of all functions together. */
const mostOfAll = 1_000_000;

/** Deletes the first of what is more than that. */
export const firstOf = (table: string): string => `DELETE FROM ${table} WHERE rowid IN (
  SELECT rowid FROM ${table} WHERE rowid <= (SELECT max(rowid) FROM ${table}) - ${mostOfAll} LIMIT :limit)`;

type Row = TallyKey & { tally: string };

export function statisticsIn(database: DatabaseSync): Statistics {
  const get = prepare<{ tally: string }>(
    database,
    "SELECT tally FROM tallies WHERE function_id = :functionId AND began_at = :from AND span = :span AND container_id = :containerId",
  );
  const put = prepare(
    database,
    `INSERT INTO tallies (function_id, began_at, span, container_id, tally) VALUES (:functionId, :from, :span, :containerId, :tally)
     ON CONFLICT DO UPDATE SET tally = excluded.tally`,
  );
  const during = prepare<Row>(
    database,
    `SELECT function_id AS functionId, began_at AS "from", container_id AS containerId, tally FROM tallies
     WHERE function_id = :functionId AND began_at >= :since AND began_at < :until AND :containerId IN ('', container_id)
     ORDER BY began_at`,
  );
  const old = prepare<Row>(
    database,
    `SELECT function_id AS functionId, began_at AS "from", container_id AS containerId, tally FROM tallies INDEXED BY tallies_by_age
     WHERE span = ${minute} AND began_at < :before ORDER BY began_at LIMIT :limit`,
  );
  const remove = prepare(
    database,
    `DELETE FROM tallies WHERE function_id = :functionId AND began_at = :from AND span = ${minute} AND container_id = :containerId`,
  );
  const forget = prepare(
    database,
    `DELETE FROM tallies WHERE (function_id, began_at, span, container_id) IN (
       SELECT function_id, began_at, span, container_id FROM tallies INDEXED BY tallies_by_age
       WHERE span = ${hour} AND began_at < :before LIMIT :limit)`,
  );
  const addTo = ({ functionId, containerId, from }: TallyKey, span: number, tally: Partial<Tally>): void => {
    const key = { functionId, containerId, from, span };
    const known = get.one(key);
    const sum = known === undefined ? tally : add(add(emptyTally(), JSON.parse(known.tally)), tally);
    put.run({ ...key, tally: JSON.stringify(compact(add(emptyTally(), sum))) });
  };
  return {
    add: async (counted) => {
      for (const { key, tally } of counted) addTo(key, minute, tally);
    },
    during: async ({ functionIds, containerId = "", since, until }) => {
      const rows = functionIds.flatMap((functionId) => during.all({ functionId, containerId, since, until }));
      return rows.map(({ tally, ...key }) => ({ key, tally: JSON.parse(tally) }));
    },
    rollUp: async (before, limit) => {
      const rows = old.all({ before, limit });
      for (const { tally, ...key } of rows) {
        addTo({ ...key, containerId: "", from: key.from - (key.from % hour) }, hour, JSON.parse(tally));
        remove.run({ ...key });
      }
      return rows.length;
    },
    forget: async (before, limit) => forget.run({ before, limit }),
    ...requestsIn(database),
  };
}

function requestsIn(
  database: DatabaseSync,
): Pick<Statistics, "addRequests" | "newestRequests" | "requests" | "forgetRequests"> {
  const insert = prepare(
    database,
    `INSERT INTO past_requests (function_id, at, route, container_id, ms, status)
     VALUES (:functionId, :at, :route, :containerId, :ms, :status)`,
  );
  const trim = prepare(
    database,
    `DELETE FROM past_requests WHERE function_id = :functionId AND at < (
       SELECT at FROM past_requests WHERE function_id = :functionId ORDER BY at DESC LIMIT 1 OFFSET ${mostPast - 1})`,
  );
  const select =
    "SELECT function_id AS functionId, at, route, container_id AS containerId, ms, status FROM past_requests";
  const newest = prepare<PastRequest>(
    database,
    `${select} WHERE function_id = :functionId ORDER BY at DESC, rowid DESC LIMIT :limit`,
  );
  const between = prepare<PastRequest>(
    database,
    `${select} WHERE function_id IN (SELECT value FROM json_each(:functionIds)) AND at >= :since AND at < :until
     ORDER BY at, rowid LIMIT :limit`,
  );
  const forget = prepare(
    database,
    "DELETE FROM past_requests WHERE rowid IN (SELECT rowid FROM past_requests INDEXED BY past_requests_by_age WHERE at < :before LIMIT :limit)",
  );
  const forgetFirst = prepare(database, firstOf("past_requests"));
  return {
    addRequests: async (requests) => {
      for (const { functionId, at, route, containerId, ms, status } of requests) {
        insert.run({ functionId, at, route, containerId, ms, status });
      }
      for (const functionId of new Set(requests.map((each) => each.functionId))) trim.run({ functionId });
    },
    forgetRequests: async (before, limit) => Math.max(forget.run({ before, limit }), forgetFirst.run({ limit })),
    newestRequests: async (functionId, limit) => newest.all({ functionId, limit }),
    requests: async ({ functionIds, since, until }: Window, limit) =>
      between.all({ functionIds: list(functionIds), since, until, limit }),
  };
}
