/** SQL of secrets, and of which functions use them. */
import type { DatabaseSync } from "node:sqlite";

import type { Secret, Secrets } from "../domain/secret.ts";
import { list, type Nullable, orNull, orUndefined, prepare } from "./sql.ts";

type Row = Omit<Secret, "appId" | "keys" | "lastUsedAt"> & {
  appId: Nullable<string>;
  keys: string;
  lastUsedAt: Nullable<number>;
};

const columns = `id, environment_id AS environmentId, state, name, app_id AS appId, keys, version, key_id AS keyId, sealed,
  fingerprint, created_at AS createdAt, created_by AS createdBy, last_used_at AS lastUsedAt`;

const toSecret = (row: Row): Secret => ({
  ...row,
  appId: orUndefined(row.appId),
  keys: JSON.parse(row.keys) as string[],
  lastUsedAt: orUndefined(row.lastUsedAt),
});

const unused = `NOT EXISTS (SELECT 1 FROM secret_uses WHERE secret_id = secrets.id)`;

export function secretsIn(database: DatabaseSync): Secrets {
  const put = prepare(
    database,
    `INSERT INTO secrets (id, environment_id, state, name, app_id, keys, version, key_id, sealed, fingerprint, created_at,
       created_by, last_used_at)
     VALUES (:id, :environmentId, :state, :name, :appId, :keys, :version, :keyId, :sealed, :fingerprint, :createdAt,
       :createdBy, :lastUsedAt)
     ON CONFLICT (id) DO UPDATE SET state = :state, keys = :keys, version = :version, key_id = :keyId, sealed = :sealed,
       fingerprint = :fingerprint`,
  );
  const get = prepare<Row>(database, `SELECT ${columns} FROM secrets WHERE id = :id`);
  const named = prepare<Row>(
    database,
    `SELECT ${columns} FROM secrets WHERE environment_id = :environmentId AND name = :name AND state = 'named'`,
  );
  const newest = prepare<Row>(
    database,
    `SELECT ${columns} FROM secrets WHERE environment_id = :environmentId AND created_at < :before AND state = 'named'
     ORDER BY created_at DESC LIMIT :limit`,
  );
  const after = prepare<Row>(
    database,
    `SELECT ${columns} FROM secrets WHERE id > :id AND state <> 'deleted' ORDER BY id LIMIT :limit`,
  );
  const setUsed = prepare(
    database,
    `UPDATE secrets SET last_used_at = :now WHERE id IN (SELECT value FROM json_each(:ids))`,
  );
  const clearUses = prepare(database, `DELETE FROM secret_uses WHERE function_id = :functionId`);
  const addUses = prepare(
    database,
    `INSERT OR IGNORE INTO secret_uses (function_id, secret_id) SELECT :functionId, value FROM json_each(:ids)`,
  );
  const usesOf = prepare<{ id: string }>(
    database,
    `SELECT secret_id AS id FROM secret_uses WHERE function_id = :functionId`,
  );
  const leaveUses = prepare(
    database,
    `DELETE FROM secret_uses WHERE function_id IN (
       SELECT id FROM functions WHERE app_id = :appId UNION ALL SELECT definition_id FROM editions WHERE app_id = :appId)`,
  );
  const removeOf = prepare(database, `DELETE FROM secrets WHERE app_id = :appId AND ${unused}`);
  const forget = prepare(
    database,
    `DELETE FROM secrets WHERE id IN (
       SELECT id FROM secrets WHERE state <> 'named' AND created_at < :before AND ${unused} AND NOT EXISTS (
         SELECT 1 FROM apps WHERE apps.id = app_id AND apps.state NOT IN ('deployed', 'stopped'))
       LIMIT :limit)`,
  );
  const first = (row: Row | undefined): Secret | undefined => row && toSecret(row);
  return {
    put: async (secret) =>
      void put.run({
        ...secret,
        appId: orNull(secret.appId),
        keys: JSON.stringify(secret.keys),
        lastUsedAt: orNull(secret.lastUsedAt),
      }),
    get: async (id) => first(get.one({ id })),
    named: async (environmentId, name) => first(named.one({ environmentId, name })),
    newest: async (environmentId, before, limit) => newest.all({ environmentId, before, limit }).map(toSecret),
    after: async (id, limit) => after.all({ id, limit }).map(toSecret),
    setUsed: async (ids, now) => void setUsed.run({ ids: list(ids), now }),
    setUses: async (functionId, ids) => {
      clearUses.run({ functionId });
      if (ids.length > 0) addUses.run({ functionId, ids: list(ids) });
    },
    usesOf: async (functionId) => usesOf.all({ functionId }).map(({ id }) => id),
    leave: async (appId) => {
      leaveUses.run({ appId });
      removeOf.run({ appId });
    },
    forget: async (before, limit) => forget.run({ before, limit }),
  };
}
