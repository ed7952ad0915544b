/** SQL of inputs. */
import type { DatabaseSync } from "node:sqlite";

import type { Ending, Input } from "../domain/input.ts";
import type { Inputs } from "../domain/store.ts";
import { type Nullable, orNull, orUndefined, prepare } from "./sql.ts";

type Optional = "containerId" | "claimedAt" | "dueAt";
type Row = Omit<Input, Optional | "ending"> & { [K in Optional]: Nullable<NonNullable<Input[K]>> } & {
  ending: Nullable<string>;
};

const withoutPayload = `id, call_id AS callId, function_id AS functionId, idx AS "index", state, method, attempt,
  failures, crashes, container_id AS containerId, claimed_at AS claimedAt, queued_at AS queuedAt, due_at AS dueAt, ending`;
const columns = `${withoutPayload}, payload`;
/** For those who only decide: a million payloads are never in memory. */
const bare = `${withoutPayload}, x'' AS payload`;

const toInput = (row: Row): Input => ({
  ...row,
  containerId: orUndefined(row.containerId),
  claimedAt: orUndefined(row.claimedAt),
  dueAt: orUndefined(row.dueAt),
  ending: row.ending === null ? undefined : (JSON.parse(row.ending) as Ending),
});
const toRow = (input: Input): Row => ({
  ...input,
  containerId: orNull(input.containerId),
  claimedAt: orNull(input.claimedAt),
  dueAt: orNull(input.dueAt),
  ending: input.ending === undefined ? null : JSON.stringify(input.ending),
});

export function inputsIn(database: DatabaseSync): Inputs {
  const insert = prepare(
    database,
    `INSERT INTO inputs (id, call_id, function_id, idx, state, payload, method, attempt, failures, crashes, container_id,
       claimed_at, queued_at, due_at, ending)
     VALUES (:id, :callId, :functionId, :index, :state, :payload, :method, :attempt, :failures, :crashes, :containerId,
       :claimedAt, :queuedAt, :dueAt, :ending)`,
  );
  const update = prepare(
    database,
    `UPDATE inputs SET state = :state, attempt = :attempt, failures = :failures, crashes = :crashes,
       container_id = :containerId, claimed_at = :claimedAt, queued_at = :queuedAt, due_at = :dueAt, ending = :ending,
       payload = iif(:succeeded, x'', payload) WHERE id = :id`,
  );
  const get = prepare<Row>(database, `SELECT ${columns} FROM inputs WHERE id = :id`);
  const ofFunction = `function_id = :functionId AND state = 'queued'`;
  const queued = prepare<Row>(
    database,
    `SELECT ${columns} FROM inputs WHERE ${ofFunction} ORDER BY rowid LIMIT :limit`,
  );
  const queuedOfMethod = prepare<Row>(
    database,
    `SELECT ${columns} FROM inputs WHERE ${ofFunction} AND method = :method ORDER BY rowid LIMIT :limit`,
  );
  const heldBy = prepare<Row>(
    database,
    `SELECT ${columns} FROM inputs WHERE container_id = :containerId AND state = 'claimed' ORDER BY rowid`,
  );
  const claimed = prepare<Row>(database, `SELECT ${bare} FROM inputs WHERE state = 'claimed'`);
  const ending = prepare<Row>(database, `SELECT ${bare} FROM inputs WHERE state = 'claimed' AND ending IS NOT NULL`);
  const unfinishedOfFunction = prepare<Row>(
    database,
    `SELECT ${bare} FROM inputs WHERE ${ofFunction}
     UNION ALL
     SELECT ${bare} FROM inputs WHERE function_id = :functionId AND state = 'delayed'
     UNION ALL
     SELECT ${bare} FROM inputs WHERE state = 'claimed' AND container_id IN
       (SELECT id FROM containers WHERE function_id = :functionId AND state <> 'gone')
     LIMIT :limit`,
  );
  const unfinishedOfCall = prepare<Row>(
    database,
    `SELECT ${bare} FROM inputs WHERE call_id = :callId AND state <> 'done' LIMIT :limit`,
  );
  const cancellable = prepare<Row>(
    database,
    `SELECT ${bare} FROM inputs WHERE call_id = :callId AND state <> 'done'
       AND (ending IS NULL OR ending ->> 'status' <> 'terminated') LIMIT :limit`,
  );
  const holders = prepare<{ id: string }>(
    database,
    `SELECT DISTINCT container_id AS id FROM inputs WHERE call_id = :callId AND state = 'claimed'`,
  );
  const ofCall = prepare<Row>(database, `SELECT ${bare} FROM inputs WHERE call_id = :callId ORDER BY idx LIMIT :limit`);
  const failed = prepare<Row>(
    database,
    `SELECT ${columns} FROM inputs WHERE call_id = :callId AND state = 'done' AND length(payload) > 0 AND idx > :after
     ORDER BY idx LIMIT :limit`,
  );
  const due = prepare<Row>(
    database,
    `SELECT ${bare} FROM inputs WHERE state = 'delayed' AND due_at <= :now ORDER BY due_at LIMIT :limit`,
  );
  const nextDue = prepare<{ at: Nullable<number> }>(
    database,
    `SELECT min(due_at) AS at FROM inputs WHERE state = 'delayed'`,
  );
  return {
    insert: async (input) => void insert.run(toRow(input)),
    get: async (id) => {
      const row = get.one({ id });
      return row && toInput(row);
    },
    update: async (input, { succeeded } = { succeeded: false }) => {
      const { id, state, attempt, failures, crashes, containerId, claimedAt, queuedAt, dueAt, ending } = toRow(input);
      update.run({
        id,
        state,
        attempt,
        failures,
        crashes,
        containerId,
        claimedAt,
        queuedAt,
        dueAt,
        ending,
        succeeded: Number(succeeded),
      });
    },
    queued: async (functionId, limit, method) =>
      (method === undefined
        ? queued.all({ functionId, limit })
        : queuedOfMethod.all({ functionId, limit, method })
      ).map(toInput),
    heldBy: async (containerId) => heldBy.all({ containerId }).map(toInput),
    claimed: async () => claimed.all().map(toInput),
    ending: async () => ending.all().map(toInput),
    unfinished: async (of, limit) =>
      ("callId" in of
        ? unfinishedOfCall.all({ callId: of.callId, limit })
        : unfinishedOfFunction.all({ functionId: of.functionId, limit })
      ).map(toInput),
    cancellable: async (callId, limit) => cancellable.all({ callId, limit }).map(toInput),
    holders: async (callId) => holders.all({ callId }).map(({ id }) => id),
    ofCall: async (callId, limit) => ofCall.all({ callId, limit }).map(toInput),
    failed: async (callId, after, limit) => failed.all({ callId, after, limit }).map(toInput),
    due: async (now, limit) => due.all({ now, limit }).map(toInput),
    nextDue: async () => orUndefined(nextDue.one()?.at ?? null),
  };
}
