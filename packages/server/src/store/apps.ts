/** SQL of apps. */
import type { DatabaseSync } from "node:sqlite";

import type { App, AppLayout } from "../domain/app.ts";
import type { Apps } from "../domain/store.ts";
import { type Nullable, list, orNull, orUndefined, parseOnce, prepare } from "./sql.ts";

type Row = Omit<App, "deployedAt" | "stoppedAt" | "layout" | "tags"> & {
  deployedAt: Nullable<number>;
  stoppedAt: Nullable<number>;
  layout: string;
  tags: string;
};

const columns = `id, environment_id AS environmentId, name, state, created_at AS createdAt, created_by AS createdBy,
  deployed_at AS deployedAt, deployed_by AS deployedBy, version, stopped_at AS stoppedAt, stopped_by AS stoppedBy, tags, layout`;

const toLayout = parseOnce((text) => JSON.parse(text) as AppLayout);
const toApp = (row: Row): App => ({
  ...row,
  deployedAt: orUndefined(row.deployedAt),
  stoppedAt: orUndefined(row.stoppedAt),
  layout: toLayout(row.layout),
  tags: JSON.parse(row.tags) as App["tags"],
});
const toRow = (app: App): Row => ({
  ...app,
  deployedAt: orNull(app.deployedAt),
  stoppedAt: orNull(app.stoppedAt),
  layout: JSON.stringify(app.layout),
  tags: JSON.stringify(app.tags),
});

export function appsIn(database: DatabaseSync): Apps {
  const insert = prepare(
    database,
    `INSERT INTO apps (id, environment_id, name, state, created_at, created_by, deployed_at, deployed_by, version,
       stopped_at, stopped_by, tags, layout)
     VALUES (:id, :environmentId, :name, :state, :createdAt, :createdBy, :deployedAt, :deployedBy, :version,
       :stoppedAt, :stoppedBy, :tags, :layout)`,
  );
  const update = prepare(
    database,
    `UPDATE apps SET environment_id = :environmentId, name = :name, state = :state, created_at = :createdAt,
       created_by = :createdBy, deployed_at = :deployedAt, deployed_by = :deployedBy, version = :version,
       stopped_at = :stoppedAt, stopped_by = :stoppedBy, tags = :tags, layout = :layout WHERE id = :id`,
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
  const lastStopped = prepare<Row>(
    database,
    `SELECT ${columns} FROM apps WHERE environment_id = :environmentId AND name = :name AND version > 0
       AND state IN ('stopping', 'stopped') ORDER BY deployed_at DESC LIMIT 1`,
  );
  const stoppedAfter = prepare<Row>(
    database,
    `SELECT ${columns} FROM apps WHERE environment_id = :environmentId AND stopped_at > :after
     ORDER BY stopped_at DESC LIMIT :limit`,
  );
  const lastOver = prepare<Row>(
    database,
    `SELECT ${columns} FROM apps WHERE environment_id = :environmentId AND name = :name AND stopped_at IS NOT NULL
     ORDER BY stopped_at DESC LIMIT 1`,
  );
  const named = prepare<{ id: string }>(database, `SELECT id FROM apps WHERE id = :idOrName OR name = :idOrName`);
  const first = (row: Row | undefined): App | undefined => row && toApp(row);
  return {
    insert: async (app) => void insert.run(toRow(app)),
    update: async (app) => void update.run(toRow(app)),
    get: async (id) => first(get.one({ id })),
    deployed: async (environmentId, name) => first(deployed.one({ environmentId, name })),
    lastStopped: async (environmentId, name) => first(lastStopped.one({ environmentId, name })),
    stoppedAfter: async (environmentId, after, limit) => stoppedAfter.all({ environmentId, after, limit }).map(toApp),
    lastOver: async (environmentId, name) => first(lastOver.one({ environmentId, name })),
    named: async (idOrName) => named.all({ idOrName }).map(({ id }) => id),
    inStates: async (states) => inStates.all({ states: list(states) }).map(toApp),
  };
}
