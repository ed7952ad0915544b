/** SQL of calls and outputs. */
import type { DatabaseSync } from "node:sqlite";

import type { Output } from "../domain/input.ts";
import type { Calls, Outputs } from "../domain/store.ts";
import { callListsIn } from "./call-lists.ts";
import { callColumns, type CallRow, toCall, toCallRow } from "./call-rows.ts";
import { type Nullable, orNull, orUndefined, prepare } from "./sql.ts";

export function callsIn(database: DatabaseSync): Calls {
  return { ...rowsIn(database), ...callListsIn(database) };
}

function rowsIn(database: DatabaseSync): Omit<Calls, keyof ReturnType<typeof callListsIn>> {
  const insert = prepare(
    database,
    `INSERT INTO calls (id, function_id, app_id, state, shape, invocation, inputs, unfinished, created_at, finished_at,
       acknowledged_at, parent_input_id, failed)
     VALUES (:id, :functionId, :appId, :state, :shape, :invocation, :inputs, :unfinished, :createdAt, :finishedAt,
       :acknowledgedAt, :parentInputId, :failed)`,
  );
  const get = prepare<CallRow>(database, `SELECT ${callColumns} FROM calls WHERE id = :id`);
  const update = prepare(
    database,
    `UPDATE calls SET state = :state, inputs = :inputs, unfinished = :unfinished, failed = :failed, finished_at = :finishedAt,
       acknowledged_at = :acknowledgedAt WHERE id = :id`,
  );
  const closeOf = prepare(
    database,
    `UPDATE calls SET state = iif(unfinished = 0, 'finished', 'closed'), finished_at = iif(unfinished = 0, :now, NULL)
     WHERE app_id = :appId AND state = 'open'`,
  );
  // Each by its own index: one LIMIT for all would make SQLite go through the whole table.
  const forgettable = prepare<{ id: string }>(
    database,
    `SELECT id FROM (SELECT id FROM calls WHERE finished_at < :finished LIMIT :limit)
     UNION SELECT id FROM (SELECT id FROM calls WHERE acknowledged_at < :acknowledged LIMIT :limit)
     UNION SELECT id FROM (
       SELECT id FROM calls INDEXED BY calls_open WHERE state = 'open' AND unfinished = 0 AND created_at < :finished LIMIT :limit)
     LIMIT :limit`,
  );
  const remove = prepare(database, `DELETE FROM calls WHERE id = :id`);
  const rows = [
    ["chunks", "(call_id, idx)", "call_id, idx"],
    ["inputs", "rowid", "rowid"],
    ["outputs", "rowid", "rowid"],
  ].map(([table, key, columns]) =>
    prepare(
      database,
      `DELETE FROM ${table} WHERE ${key} IN (SELECT ${columns} FROM ${table} WHERE call_id = :id LIMIT :limit)`,
    ),
  );
  return {
    insert: async (call) => void insert.run(toCallRow(call)),
    get: async (id) => {
      const row = get.one({ id });
      return row && toCall(row);
    },
    update: async (call) => {
      const { id, state, inputs, unfinished, failed, finishedAt, acknowledgedAt } = toCallRow(call);
      update.run({ id, state, inputs, unfinished, failed, finishedAt, acknowledgedAt });
    },
    closeOf: async (appId, now) => void closeOf.run({ appId, now }),
    forgettable: async (before, limit) => forgettable.all({ ...before, limit }).map(({ id }) => id),
    remove: async (id) => void remove.run({ id }),
    removeRows: async (id, limit) => rows.reduce((gone, some) => gone + some.run({ id, limit: limit - gone }), 0),
  };
}

type OutputRow = Omit<Output, "containerId" | "startedAt"> & {
  containerId: Nullable<NonNullable<Output["containerId"]>>;
  startedAt: Nullable<number>;
};

const outputColumns = `entry, outputs.call_id AS callId, input_id AS inputId, outputs.idx AS "index", result,
  data_format AS dataFormat, outputs.container_id AS containerId, started_at AS startedAt, created_at AS createdAt`;

const toOutput = (row: OutputRow): Output => ({
  ...row,
  containerId: orUndefined(row.containerId),
  startedAt: orUndefined(row.startedAt),
});

export function outputsIn(database: DatabaseSync): Outputs {
  const insert = prepare(
    database,
    `INSERT INTO outputs (call_id, input_id, idx, result, data_format, container_id, started_at, created_at)
     VALUES (:callId, :inputId, :index, :result, :dataFormat, :containerId, :startedAt, :createdAt)`,
  );
  const after = prepare<OutputRow>(
    database,
    `SELECT ${outputColumns} FROM outputs WHERE call_id = :callId AND entry > :entry ORDER BY entry LIMIT :limit`,
  );
  const of = prepare<OutputRow>(
    database,
    `SELECT ${outputColumns} FROM inputs CROSS JOIN outputs ON entry = output WHERE inputs.id = :inputId`,
  );
  const between = prepare<OutputRow>(
    database,
    `SELECT ${outputColumns} FROM inputs CROSS JOIN outputs ON entry = output
     WHERE inputs.call_id = :callId AND inputs.idx BETWEEN :first AND :last ORDER BY entry LIMIT :limit`,
  );
  return {
    insert: async (output) => {
      const { containerId, startedAt } = output;
      return insert.insert({ ...output, containerId: orNull(containerId), startedAt: orNull(startedAt) });
    },
    after: async (callId, entry, limit) => after.all({ callId, entry, limit }).map(toOutput),
    of: async (inputId) => {
      const row = of.one({ inputId });
      return row && toOutput(row);
    },
    between: async (callId, first, last, limit) => between.all({ callId, first, last, limit }).map(toOutput),
  };
}
