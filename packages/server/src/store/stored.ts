/** SQL of what is only stored and looked up: mounts, blobs, the ends of logs, kept replies, sweeps. */
import type { DatabaseSync } from "node:sqlite";

import { isId } from "@lydian/kit";

import type { Blobs, LogEnd, Logs, Mounts, Replies, Sweeps } from "../domain/store.ts";
import type { Blob, Mount } from "../domain/stored.ts";
import type { Sweep } from "../domain/sweep.ts";
import { prepare } from "./sql.ts";

export function mountsIn(database: DatabaseSync): Mounts {
  const columns = `id, manifest_sha256 AS manifestSha256, name`;
  const put = prepare<Mount>(
    database,
    `INSERT INTO mounts (id, manifest_sha256, name) VALUES (:id, :manifestSha256, :name)
     ON CONFLICT (manifest_sha256, name) DO UPDATE SET id = id RETURNING ${columns}`,
  );
  const get = prepare<Mount>(database, `SELECT ${columns} FROM mounts WHERE id = :id`);
  const remove = prepare(database, `DELETE FROM mounts WHERE id = :id`);
  return {
    put: async (mount) => put.one({ ...mount }) ?? mount,
    get: async (id) => get.one({ id }),
    remove: async (id) => void remove.run({ id }),
  };
}

type BlobRow = Omit<Blob, "complete"> & { complete: number };

export function blobsIn(database: DatabaseSync): Blobs {
  const put = prepare(
    database,
    `INSERT INTO blobs (id, sha256, size, complete, created_at) VALUES (:id, :sha256, :size, :complete, :createdAt)
     ON CONFLICT (id) DO UPDATE SET complete = :complete`,
  );
  const get = prepare<BlobRow>(
    database,
    `SELECT id, sha256, size, complete, created_at AS createdAt FROM blobs WHERE id = :id`,
  );
  const remove = prepare(database, `DELETE FROM blobs WHERE id = :id`);
  return {
    remove: async (id) => void remove.run({ id }),
    put: async (blob) => void put.run({ ...blob, complete: Number(blob.complete) }),
    get: async (id) => {
      const row = get.one({ id });
      return row && { ...row, complete: row.complete === 1 };
    },
  };
}

export function logsIn(database: DatabaseSync): Logs {
  const columns = `app_id AS appId, segment, bytes`;
  const end = prepare<LogEnd>(database, `SELECT ${columns} FROM logs WHERE app_id = :appId`);
  const ends = prepare<LogEnd>(database, `SELECT ${columns} FROM logs`);
  const setEnd = prepare(
    database,
    `INSERT INTO logs (app_id, segment, bytes) VALUES (:appId, :segment, :bytes)
     ON CONFLICT (app_id) DO UPDATE SET segment = :segment, bytes = :bytes`,
  );
  const forget = prepare(database, `DELETE FROM logs WHERE app_id = :appId`);
  const offsetIn = (table: "containers" | "images") =>
    prepare<{ offset: number }>(
      database,
      `SELECT log_offset AS offset FROM ${table} WHERE id = :id AND fence = :fence`,
    );
  const setOffsetIn = (table: "containers" | "images") =>
    prepare(database, `UPDATE ${table} SET log_offset = :offset WHERE id = :id AND fence = :fence`);
  const offsets = { containers: offsetIn("containers"), images: offsetIn("images") };
  const setOffsets = { containers: setOffsetIn("containers"), images: setOffsetIn("images") };
  const tableOf = (id: string): keyof typeof offsets => (isId("im", id) ? "images" : "containers");
  return {
    offset: async (id, fence) => offsets[tableOf(id)].one({ id, fence })?.offset,
    setOffset: async (id, fence, offset) => void setOffsets[tableOf(id)].run({ id, fence, offset }),
    end: async (appId) => end.one({ appId }),
    ends: async () => ends.all(),
    setEnd: async (value) => void setEnd.run({ ...value }),
    forget: async (appId) => void forget.run({ appId }),
  };
}

export function repliesIn(database: DatabaseSync): Replies {
  const find = prepare<{ reply: Uint8Array }>(database, `SELECT reply FROM replies WHERE key = :key`);
  const keep = prepare(database, `INSERT INTO replies (key, reply, kept_at) VALUES (:key, :reply, :at)`);
  const forget = prepare(
    database,
    // Those that were kept first have the lowest numbers.
    `DELETE FROM replies WHERE number IN (SELECT number FROM replies ORDER BY number LIMIT :limit) AND kept_at < :before`,
  );
  return {
    find: async (key) => find.one({ key })?.reply,
    keep: async (key, reply, at) => void keep.run({ key, reply, at }),
    forget: async (before, limit) => forget.run({ before, limit }),
  };
}

export function sweepsIn(database: DatabaseSync): Sweeps {
  const insert = prepare(
    database,
    `INSERT INTO sweeps (what, target, result, data_format) VALUES (:what, :target, :result, :dataFormat)`,
  );
  const first = prepare<Sweep>(
    database,
    `SELECT what, target, result, data_format AS dataFormat FROM sweeps ORDER BY number LIMIT 1`,
  );
  const remove = prepare(database, `DELETE FROM sweeps WHERE what = :what AND target = :target`);
  return {
    insert: async (sweep) => void insert.run({ ...sweep }),
    first: async () => first.one(),
    remove: async ({ what, target }) => void remove.run({ what, target }),
  };
}
