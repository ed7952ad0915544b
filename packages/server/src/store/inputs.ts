/** SQL of inputs. */
import type { DatabaseSync } from "node:sqlite";

import type { Input } from "../domain/input.ts";
import type { Inputs } from "../domain/store.ts";
import { type Nullable, orNull, orUndefined, prepare } from "./sql.ts";

type Row = Omit<Input, "containerId" | "claimedAt"> & {
  containerId: Nullable<NonNullable<Input["containerId"]>>;
  claimedAt: Nullable<number>;
};

const columns = `id, call_id AS callId, function_id AS functionId, idx AS "index", state, payload, attempt, crashes,
  container_id AS containerId, claimed_at AS claimedAt`;

const toInput = (row: Row): Input => ({
  ...row,
  containerId: orUndefined(row.containerId),
  claimedAt: orUndefined(row.claimedAt),
});
const toRow = (input: Input): Row => ({
  ...input,
  containerId: orNull(input.containerId),
  claimedAt: orNull(input.claimedAt),
});

export function inputsIn(database: DatabaseSync): Inputs {
  const insert = prepare(
    database,
    `INSERT INTO inputs (id, call_id, function_id, idx, state, payload, attempt, crashes, container_id, claimed_at)
     VALUES (:id, :callId, :functionId, :index, :state, :payload, :attempt, :crashes, :containerId, :claimedAt)`,
  );
  const get = prepare<Row>(database, `SELECT ${columns} FROM inputs WHERE id = :id`);
  const update = prepare(
    database,
    `UPDATE inputs SET state = :state, attempt = :attempt, crashes = :crashes, container_id = :containerId,
       claimed_at = :claimedAt, payload = iif(:state = 'done', x'', payload) WHERE id = :id`,
  );
  const queued = prepare<Row>(
    database,
    `SELECT ${columns} FROM inputs WHERE function_id = :functionId AND state = 'queued' ORDER BY rowid LIMIT :limit`,
  );
  const heldBy = prepare<Row>(
    database,
    `SELECT ${columns} FROM inputs WHERE container_id = :containerId AND state = 'claimed' ORDER BY rowid`,
  );
  const claimed = prepare<Row>(database, `SELECT ${columns} FROM inputs WHERE state = 'claimed'`);
  const unfinished = prepare<Row>(
    database,
    `SELECT ${columns} FROM inputs WHERE function_id = :functionId AND state = 'queued'
     UNION ALL
     SELECT ${columns} FROM inputs WHERE state = 'claimed' AND container_id IN
       (SELECT id FROM containers WHERE function_id = :functionId AND state <> 'gone')`,
  );
  return {
    insert: async (input) => void insert.run(toRow(input)),
    get: async (id) => {
      const row = get.one({ id });
      return row && toInput(row);
    },
    update: async (input) => {
      const { id, state, attempt, crashes, containerId, claimedAt } = toRow(input);
      update.run({ id, state, attempt, crashes, containerId, claimedAt });
    },
    queued: async (functionId, limit) => queued.all({ functionId, limit }).map(toInput),
    heldBy: async (containerId) => heldBy.all({ containerId }).map(toInput),
    claimed: async () => claimed.all().map(toInput),
    unfinished: async (functionId) => unfinished.all({ functionId }).map(toInput),
  };
}
