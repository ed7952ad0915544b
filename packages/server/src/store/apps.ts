/** SQL of apps. */
import type { DatabaseSync } from "node:sqlite";

import type { App, AppLayout } from "../domain/app.ts";
import type { Apps } from "../domain/store.ts";
import { type Nullable, list, orNull, orUndefined, parseOnce, prepare } from "./sql.ts";

type Row = Omit<App, "stoppedAt" | "layout"> & { stoppedAt: Nullable<number>; layout: string };

const columns = `id, environment_id AS environmentId, name, state, created_at AS createdAt, stopped_at AS stoppedAt, layout`;

const toLayout = parseOnce((text) => JSON.parse(text) as AppLayout);
const toApp = (row: Row): App => ({
  ...row,
  stoppedAt: orUndefined(row.stoppedAt),
  layout: toLayout(row.layout),
});
const toRow = (app: App): Row => ({ ...app, stoppedAt: orNull(app.stoppedAt), layout: JSON.stringify(app.layout) });

export function appsIn(database: DatabaseSync): Apps {
  const insert = prepare(
    database,
    `INSERT INTO apps (id, environment_id, name, state, created_at, stopped_at, layout)
     VALUES (:id, :environmentId, :name, :state, :createdAt, :stoppedAt, :layout)`,
  );
  const update = prepare(
    database,
    `UPDATE apps SET environment_id = :environmentId, name = :name, state = :state, created_at = :createdAt,
       stopped_at = :stoppedAt, layout = :layout WHERE id = :id`,
  );
  const get = prepare<Row>(database, `SELECT ${columns} FROM apps WHERE id = :id`);
  const inStates = prepare<Row>(
    database,
    `SELECT ${columns} FROM apps WHERE state IN (SELECT value FROM json_each(:states)) ORDER BY id`,
  );
  const deployed = prepare<Row>(
    database,
    `SELECT ${columns} FROM apps WHERE environment_id = :environmentId AND name = :name AND state = 'deployed'`,
  );
  const named = prepare<{ id: string }>(database, `SELECT id FROM apps WHERE id = :idOrName OR name = :idOrName`);
  const first = (row: Row | undefined): App | undefined => row && toApp(row);
  return {
    insert: async (app) => void insert.run(toRow(app)),
    update: async (app) => void update.run(toRow(app)),
    get: async (id) => first(get.one({ id })),
    deployed: async (environmentId, name) => first(deployed.one({ environmentId, name })),
    named: async (idOrName) => named.all({ idOrName }).map(({ id }) => id),
    inStates: async (states) => inStates.all({ states: list(states) }).map(toApp),
  };
}
