/** SQL of what is in dicts. */
import type { DatabaseSync } from "node:sqlite";

import type { Dicts, StoredEntry } from "../domain/dict.ts";
import { portionOf, prepare } from "./sql.ts";

/** What an entry costs beside its key and value, roughly. */
const entryBytes = 64;

const noValue = new Uint8Array();

export function dictsIn(database: DatabaseSync): Dicts {
  const living = `FROM dict_entries WHERE dict = :dict AND kept_until > :now`;
  const get = prepare<StoredEntry>(database, `SELECT key, value, kept_until AS keptUntil ${living} AND key = :key`);
  const has = prepare<{ keptUntil: number }>(database, `SELECT kept_until AS keptUntil ${living} AND key = :key`);
  const put = prepare(
    database,
    `INSERT INTO dict_entries (dict, key, value, kept_until) VALUES (:dict, :key, :value, :keptUntil)
     ON CONFLICT (dict, key) DO UPDATE SET value = :value, kept_until = :keptUntil`,
  );
  const remove = prepare(database, `DELETE FROM dict_entries WHERE dict = :dict AND key = :key`);
  const keep = prepare(
    database,
    `UPDATE dict_entries SET kept_until = :until WHERE dict = :dict AND key = :key AND kept_until < :until`,
  );
  const count = prepare<{ entries: number }>(
    database,
    `SELECT count(*) AS entries FROM (SELECT 1 ${living} LIMIT :limit)`,
  );
  const keysAfter = prepare<Omit<StoredEntry, "value">>(
    database,
    `SELECT key, kept_until AS keptUntil ${living} AND key > :key ORDER BY key`,
  );
  const entriesAfter = prepare<StoredEntry>(
    database,
    `SELECT key, kept_until AS keptUntil, value ${living} AND key > :key ORDER BY key`,
  );
  const removeAll = prepare(
    database,
    `DELETE FROM dict_entries WHERE number IN (SELECT number FROM dict_entries WHERE dict = :dict LIMIT :limit)`,
  );
  const forget = prepare(
    database,
    `DELETE FROM dict_entries WHERE number IN (
       SELECT e.number FROM objects CROSS JOIN dict_entries e ON e.dict = objects.contents AND e.kept_until <= :now
       WHERE objects.kind = 'dict' LIMIT :limit)`,
  );
  return {
    get: async (dict, key, now) => get.one({ dict, key, now }),
    has: async (dict, key, now) => has.one({ dict, key, now }),
    put: async (dict, { key, value, keptUntil }) => void put.run({ dict, key, value, keptUntil }),
    remove: async (dict, key) => void remove.run({ dict, key }),
    keep: async (dict, keys, until) => {
      for (const key of keys) keep.run({ dict, key, until });
    },
    count: async (dict, now, limit) => count.one({ dict, now, limit })?.entries ?? 0,
    after: async (dict, after, { withValues, bytes }, now) => {
      const from = { dict, key: after ?? noValue, now }; // no key is empty
      const rows = withValues ? entriesAfter.each(from) : valueless(keysAfter.each(from));
      return portionOf(rows, bytes, ({ key, value }) => entryBytes + key.byteLength + value.byteLength);
    },
    removeAll: async (dict, limit) => removeAll.run({ dict, limit }),
    forget: async (now, limit) => forget.run({ now, limit }),
  };
}

function* valueless(entries: Iterable<Omit<StoredEntry, "value">>): Generator<StoredEntry> {
  for (const entry of entries) yield { ...entry, value: noValue };
}
