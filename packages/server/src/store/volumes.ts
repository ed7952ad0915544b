/** SQL of volumes, their commits and their entries. */
import type { DatabaseSync } from "node:sqlite";

import type { CommitRange, EntryPlace, OwedCommits, VolumeHistory, Volumes } from "../domain/store.ts";
import { type EntryKind, folderOf, type KeptEntry, type Volume, type VolumeCommit } from "../domain/volume.ts";
import { decodePieces, encodePieces } from "./pieces.ts";
import { prepare } from "./sql.ts";

interface Row {
  path: string;
  since: number;
  kind: EntryKind;
  mode: number;
  mtime: number;
  size: number;
  content: Uint8Array;
}

export const volumeColumns = `id, environment_id AS environmentId, state, name, version, head, oldest, entries, bytes,
  created_at AS createdAt, created_by AS createdBy`;
const entryColumns = `path, since, kind, mode, mtime, size, content`;

/** Of an entry in the state of the commit `:at`. */
const shownAt = `since <= :at AND (until IS NULL OR until > :at)`;

const toEntry = ({ path, since, kind, mode, mtime, size, content }: Row): KeptEntry => ({
  path,
  since,
  kind,
  mode,
  mtime,
  size,
  pieces: kind === "file" ? decodePieces(content) : [],
  target: kind === "link" ? Buffer.from(content).toString() : "",
});

/** Behind every path. */
export const lastPath = "\u{10FFFF}";

/** "0" is the character after the slash: what is below a folder lies between the two. */
const rangeBelow = (folder: string): { first: string; last: string } =>
  folder === "" ? { first: "", last: lastPath } : { first: `${folder}/`, last: `${folder}0` };

export function volumesIn(database: DatabaseSync): Omit<Volumes, keyof VolumeHistory> {
  const put = prepare(
    database,
    `INSERT INTO volumes (id, environment_id, state, name, version, head, oldest, entries, bytes, created_at, created_by)
     VALUES (:id, :environmentId, :state, :name, :version, :head, :oldest, :entries, :bytes, :createdAt, :createdBy)
     ON CONFLICT (id) DO UPDATE SET state = :state, name = :name, head = :head, entries = :entries, bytes = :bytes`,
  );
  const get = prepare<Volume>(database, `SELECT ${volumeColumns} FROM volumes WHERE id = :id`);
  const named = prepare<Volume>(
    database,
    `SELECT ${volumeColumns} FROM volumes WHERE environment_id = :environmentId AND name = :name AND state = 'named'`,
  );
  const newest = prepare<Volume>(
    database,
    `SELECT ${volumeColumns} FROM volumes WHERE environment_id = :environmentId AND created_at < :before AND state = 'named'
     ORDER BY created_at DESC LIMIT :limit`,
  );
  const ephemeral = prepare<Volume>(database, `SELECT ${volumeColumns} FROM volumes WHERE state = 'ephemeral'`);
  const forgotten = prepare<{ id: string }>(
    database,
    `SELECT id FROM volumes WHERE state = 'deleted' AND head > 0 LIMIT 1`,
  );
  const emptied = prepare(database, `UPDATE volumes SET head = 0, entries = 0, bytes = 0 WHERE id = :id`);
  return {
    put: async (volume) => void put.run({ ...volume }),
    get: async (id) => get.one({ id }),
    named: async (environmentId, name) => named.one({ environmentId, name }),
    newest: async (environmentId, before, limit) => newest.all({ environmentId, before, limit }),
    ephemeral: async () => ephemeral.all(),
    ...entriesIn(database),
    ...aheadIn(database),
    ...commitsIn(database),
    ...owedIn(database),
    forget: forgetIn(
      database,
      () => forgotten.one()?.id,
      (id) => void emptied.run({ id }),
    ),
  };
}

type Entries = Pick<Volumes, "entry" | "width" | "children" | "kept" | "below" | "begin" | "end">;

function entriesIn(database: DatabaseSync): Entries {
  const last = prepare<Row & { until: number | null }>(
    database,
    `SELECT ${entryColumns}, until FROM volume_entries WHERE volume_id = :volumeId AND path = :path AND since <= :at
     ORDER BY since DESC LIMIT 1`,
  );
  const children = prepare<Row>(
    database,
    `SELECT ${entryColumns} FROM volume_entries INDEXED BY volume_entries_by_folder
     WHERE volume_id = :volumeId AND folder = :folder AND path > :after AND ${shownAt} ORDER BY path LIMIT :limit`,
  );
  const width = prepare<{ count: number }>(
    database,
    `SELECT count(*) AS count FROM volume_entries INDEXED BY volume_entries_by_folder
     WHERE volume_id = :volumeId AND folder = :folder AND ${shownAt}`,
  );
  const kept = prepare<{ path: string; since: number; isShown: 0 | 1 }>(
    database,
    `SELECT path, since, ${shownAt} AS isShown FROM volume_entries INDEXED BY volume_entries_by_folder
     WHERE volume_id = :volumeId AND folder = :folder AND (path, since) > (:path, :since) ORDER BY path, since LIMIT :limit`,
  );
  const below = prepare<Row>(
    database,
    `SELECT ${entryColumns} FROM volume_entries
     WHERE volume_id = :volumeId AND path > :after AND path < :last AND ${shownAt} ORDER BY path LIMIT :limit`,
  );
  const begin = prepare(
    database,
    `INSERT INTO volume_entries (volume_id, path, since, until, folder, kind, mode, mtime, size, content)
     VALUES (:volumeId, :path, :since, NULL, :folder, :kind, :mode, :mtime, :size, :content)`,
  );
  const end = prepare(
    database,
    `UPDATE volume_entries SET until = :until WHERE volume_id = :volumeId AND path = :path AND since = :since`,
  );
  const undo = prepare(
    database,
    `DELETE FROM volume_entries WHERE volume_id = :volumeId AND path = :path AND since = :since`,
  );
  const entry = (volumeId: string, path: string, at: number): KeptEntry | undefined => {
    const row = last.one({ volumeId, path, at });
    if (row === undefined || (row.until !== null && row.until <= at)) return undefined;
    return toEntry(row);
  };
  return {
    entry: async (volumeId, path, at) => entry(volumeId, path, at),
    width: async (volumeId, folder, at) => width.one({ volumeId, folder, at })?.count ?? 0,
    children: async (volumeId, folder, at, { after, limit }) =>
      children.all({ volumeId, folder, at, after, limit }).map(toEntry),
    kept: async (volumeId, folder, at, { after: { path, since }, limit }) =>
      kept.all({ volumeId, folder, at, path, since, limit }),
    below: async (volumeId, folder, at, { after, limit }) => {
      const { first, last: end } = rangeBelow(folder);
      return below.all({ volumeId, at, after: after > first ? after : first, last: end, limit }).map(toEntry);
    },
    begin: async (volumeId, { path, kind, mode, mtime, size, pieces, target }, since) => {
      const content = kind === "file" ? encodePieces(pieces) : Buffer.from(target);
      begin.run({ volumeId, path, since, folder: folderOf(path), kind, mode, mtime, size, content });
    },
    end: async (volumeId, path, until) => {
      const found = entry(volumeId, path, until);
      if (found === undefined) return undefined;
      const { since } = found;
      if (since === until) undo.run({ volumeId, path, since });
      else end.run({ volumeId, path, since, until });
      return found;
    },
  };
}

/** What lies after the newest commit is of one that was begun and is not made. */
function aheadIn(database: DatabaseSync): Pick<Volumes, "isAhead" | "takeBack"> {
  const ahead = prepare<{ path: string }>(
    database,
    `SELECT * FROM (SELECT path FROM volume_entries INDEXED BY volume_entries_by_begin
                    WHERE volume_id = :volumeId AND since > :head LIMIT 1)
     UNION ALL SELECT * FROM (SELECT path FROM volume_entries INDEXED BY volume_entries_by_end
                              WHERE volume_id = :volumeId AND until > :head LIMIT 1) LIMIT 1`,
  );
  const takeBegun = prepare(
    database,
    `DELETE FROM volume_entries WHERE volume_id = :volumeId AND (path, since) IN (
       SELECT path, since FROM volume_entries INDEXED BY volume_entries_by_begin
       WHERE volume_id = :volumeId AND since > :head LIMIT :limit)`,
  );
  const takeEnded = prepare(
    database,
    `UPDATE volume_entries SET until = NULL WHERE volume_id = :volumeId AND (path, since) IN (
       SELECT path, since FROM volume_entries INDEXED BY volume_entries_by_end
       WHERE volume_id = :volumeId AND until > :head LIMIT :limit)`,
  );
  return {
    isAhead: async (volumeId, head) => ahead.one({ volumeId, head }) !== undefined,
    takeBack: async (volumeId, head, limit) =>
      takeBegun.run({ volumeId, head, limit }) || takeEnded.run({ volumeId, head, limit }),
  };
}

/** One bound, by which the index is entered: with a second one, each page would begin with all pages before it. */
const placeIn = ({ from }: CommitRange, after: EntryPlace): EntryPlace =>
  after.number > from ? after : { number: from, path: lastPath };

type Commits = Pick<Volumes, "addCommit" | "commitOf" | "begun" | "ended">;

function commitsIn(database: DatabaseSync): Commits {
  const addCommit = prepare(
    database,
    `INSERT INTO volume_commits (volume_id, number, key, made_at, made_by, written, removed)
     VALUES (:volumeId, :number, :key, :madeAt, :madeBy, :written, :removed)`,
  );
  const commitOf = prepare<Pick<VolumeCommit, "number">>(
    database,
    `SELECT number FROM volume_commits WHERE volume_id = :volumeId AND key = :key`,
  );
  const begun = prepare<Row>(
    database,
    `SELECT ${entryColumns} FROM volume_entries INDEXED BY volume_entries_by_begin
     WHERE volume_id = :volumeId AND (since, path) > (:number, :path) AND since <= :to AND (until IS NULL OR until > :to)
     ORDER BY since, path LIMIT :limit`,
  );
  const ended = prepare<{ number: number; path: string }>(
    database,
    `SELECT until AS number, path FROM volume_entries AS old INDEXED BY volume_entries_by_end
     WHERE volume_id = :volumeId AND (until, path) > (:number, :path) AND until <= :to AND since <= :from
       AND NOT EXISTS (
         SELECT 1 FROM volume_entries WHERE volume_id = :volumeId AND path = old.path
           AND since <= :to AND (until IS NULL OR until > :to))
     ORDER BY until, path LIMIT :limit`,
  );
  return {
    addCommit: async (commit) => void addCommit.run({ ...commit }),
    commitOf: async (volumeId, key) => commitOf.one({ volumeId, key })?.number,
    begun: async (volumeId, range, after, limit) =>
      begun.all({ volumeId, to: range.to, ...placeIn(range, after), limit }).map(toEntry),
    ended: async (volumeId, range, after, limit) => ended.all({ volumeId, ...range, ...placeIn(range, after), limit }),
  };
}

function owedIn(database: DatabaseSync): OwedCommits {
  const owedOf = prepare<{ key: string }>(database, `SELECT key FROM volume_owed WHERE volume_id = :volumeId`);
  const owe = prepare(database, `INSERT OR REPLACE INTO volume_owed (volume_id, key) VALUES (:volumeId, :key)`);
  const paid = prepare(database, `DELETE FROM volume_owed WHERE volume_id = :volumeId`);
  const owedBut = prepare<{ volumeId: string }>(
    database,
    `SELECT volume_id AS volumeId FROM volume_owed WHERE key NOT IN (SELECT value FROM json_each(:keys))`,
  );
  return {
    owedOf: async (volumeId) => owedOf.one({ volumeId })?.key,
    owe: async (volumeId, key) => void owe.run({ volumeId, key }),
    paid: async (volumeId) => void paid.run({ volumeId }),
    owedBut: async (keys) => owedBut.all({ keys: JSON.stringify(keys) }).map(({ volumeId }) => volumeId),
  };
}

/** What is deleted keeps its row, by which errors name it, without a head. */
function forgetIn(
  database: DatabaseSync,
  next: () => string | undefined,
  done: (id: string) => void,
): Volumes["forget"] {
  const rowsOf = (table: string, key: string) =>
    prepare(
      database,
      `DELETE FROM ${table} WHERE volume_id = :id AND (${key}) IN (SELECT ${key} FROM ${table} WHERE volume_id = :id LIMIT :limit)`,
    );
  const entries = rowsOf("volume_entries", "path, since");
  const commits = rowsOf("volume_commits", "number");
  return async (limit) => {
    const id = next();
    if (id === undefined) return 0;
    const rows = entries.run({ id, limit }) || commits.run({ id, limit });
    if (rows === 0) done(id);
    return limit; // there may be more
  };
}
