/** SQL of what refers to content, and of what nothing refers to. */
import type { DatabaseSync } from "node:sqlite";

import type { ContentUses, Page, PiecePlace, UnneededThings } from "../domain/content-uses.ts";
import type { Mount } from "../domain/stored.ts";
import { decodePieces } from "./pieces.ts";
import { list, type Nullable, portionOf, prepare } from "./sql.ts";

/** How much of inputs or results is looked at at a time: some milliseconds. */
const portionBytes = 8 * 1024 * 1024;
const portionRows = 1000;

/** With which the ids of blobs begin; what has it in it is decoded, and all else not. */
const blobMark = Buffer.from("bl-");

interface Payload {
  at: number;
  bytes: number;
  payload: Nullable<Uint8Array>;
}

export function contentUsesIn(database: DatabaseSync): ContentUses {
  const pieces = prepare<PiecePlace & { kind: string; content: Uint8Array }>(
    database,
    `SELECT volume_id AS volumeId, path, since, kind, content FROM volume_entries
     WHERE (volume_id, path, since) > (:volumeId, :path, :since) ORDER BY volume_id, path, since LIMIT :limit`,
  );
  const chunks = prepare<{ callId: string; index: number; blobId: Nullable<string> }>(
    database,
    `SELECT call_id AS callId, idx AS "index", blob_id AS blobId FROM chunks
     WHERE (call_id, idx) > (:callId, :index) ORDER BY call_id, idx LIMIT :limit`,
  );
  const endings = prepare<{ result: Uint8Array }>(database, `SELECT result FROM sweeps`);
  const blobs = prepare<{ id: string; sha256: string }>(
    database,
    `SELECT id, sha256 FROM blobs WHERE id > :after ORDER BY id LIMIT :limit`,
  );
  const mounts = prepare<Mount>(
    database,
    `SELECT id, manifest_sha256 AS manifestSha256, name FROM mounts WHERE id > :after ORDER BY id LIMIT :limit`,
  );
  return {
    pieces: async (after, limit) => {
      const rows = pieces.all({ ...after, limit });
      const files = rows.filter(({ kind }) => kind === "file");
      const found = files.flatMap(({ content }) => decodePieces(content).map(({ sha256 }) => sha256));
      const { volumeId, path, since } = rows.at(-1) ?? after;
      return { found: found.filter((sha256) => sha256 !== ""), next: next(rows, limit, { volumeId, path, since }) };
    },
    inputs: payloadsIn(database, "inputs", "rowid", "payload"),
    results: payloadsIn(database, "outputs", "entry", "result"),
    chunks: async (after, limit) => {
      const rows = chunks.all({ ...after, limit });
      const found = rows.flatMap(({ blobId }) => blobId ?? []);
      const { callId, index } = rows.at(-1) ?? after;
      return { found, next: next(rows, limit, { callId, index }) };
    },
    endings: async () => endings.all().map(({ result }) => result),
    blobs: async (after, limit) => {
      const found = blobs.all({ after, limit });
      return { found, next: next(found, limit, found.at(-1)?.id ?? "") };
    },
    mounts: async (after, limit) => {
      const found = mounts.all({ after, limit });
      return { found, next: next(found, limit, found.at(-1)?.id ?? "") };
    },
  };
}

function payloadsIn(database: DatabaseSync, table: string, number: string, column: string): ContentUses["inputs"] {
  const some = prepare<Payload>(
    database,
    `SELECT ${number} AS at, length(${column}) AS bytes, iif(instr(${column}, :blobMark) > 0, ${column}, NULL) AS payload
     FROM ${table} WHERE ${number} > :after ORDER BY ${number} LIMIT :limit`,
  );
  return async (after): Promise<Page<Uint8Array, number>> => {
    const rows = some.each({ after, blobMark, limit: portionRows });
    const portion = portionOf(rows, portionBytes, ({ bytes }) => bytes);
    return { found: portion.flatMap(({ payload }) => payload ?? []), next: portion.at(-1)?.at };
  };
}

function next<Place>(rows: readonly unknown[], limit: number, last: Place): Place | undefined {
  return rows.length < limit ? undefined : last;
}

export function unneededIn(database: DatabaseSync): UnneededThings {
  const all = prepare<{ id: string; since: number }>(database, `SELECT id, since FROM unneeded`);
  const add = prepare(
    database,
    `INSERT INTO unneeded (id, since) SELECT value, :since FROM json_each(:ids) WHERE true
     ON CONFLICT (id) DO UPDATE SET since = :since`,
  );
  const remove = prepare(database, `DELETE FROM unneeded WHERE id IN (SELECT value FROM json_each(:ids))`);
  return {
    all: async () => all.all(),
    add: async (ids, since) => void add.run({ ids: list(ids), since }),
    remove: async (ids) => void remove.run({ ids: list(ids) }),
  };
}
