/** SQL of dicts and queues as such: their names, ids, and the numbers of their contents. */
import type { DatabaseSync } from "node:sqlite";

import type { NamedObject } from "../domain/named-object.ts";
import type { Objects } from "../domain/store.ts";
import { prepare } from "./sql.ts";

const columns = `id, kind, environment_id AS environmentId, name, created_at AS createdAt, created_by AS createdBy, contents`;

export function objectsIn(database: DatabaseSync): Objects {
  const insert = prepare<NamedObject>(
    database,
    `INSERT INTO objects (id, kind, environment_id, name, created_at, created_by)
     VALUES (:id, :kind, :environmentId, :name, :createdAt, :createdBy) RETURNING ${columns}`,
  );
  const get = prepare<NamedObject>(database, `SELECT ${columns} FROM objects WHERE id = :id`);
  const named = prepare<NamedObject>(
    database,
    `SELECT ${columns} FROM objects
     WHERE kind = :kind AND environment_id = :environmentId AND name = :name AND name <> ''`,
  );
  const newest = prepare<NamedObject>(
    database,
    `SELECT ${columns} FROM objects
     WHERE kind = :kind AND environment_id = :environmentId AND created_at < :before AND name <> ''
     ORDER BY created_at DESC LIMIT :limit`,
  );
  const ephemeral = prepare<{ id: string }>(database, `SELECT id FROM objects WHERE name = ''`);
  const remove = prepare(database, `DELETE FROM objects WHERE id = :id`);
  return {
    insert: async ({ id, kind, environmentId, name, createdAt, createdBy }) => {
      const inserted = insert.one({ id, kind, environmentId, name, createdAt, createdBy });
      if (inserted === undefined) throw new Error("a row that was inserted was not returned");
      return inserted;
    },
    get: async (id) => get.one({ id }),
    named: async (kind, environmentId, name) => named.one({ kind, environmentId, name }),
    newest: async (kind, environmentId, before, limit) => newest.all({ kind, environmentId, before, limit }),
    ephemeral: async () => ephemeral.all().map(({ id }) => id),
    remove: async (id) => void remove.run({ id }),
  };
}
