/** SQL of the states of volumes that can be read, and of forgetting the others. */
import type { DatabaseSync } from "node:sqlite";

import type { VolumeHistory } from "../domain/store.ts";
import type { Volume, VolumeCommit } from "../domain/volume.ts";
import { prepare } from "./sql.ts";
import { lastPath, volumeColumns } from "./volumes.ts";

export function volumeHistoryIn(database: DatabaseSync): VolumeHistory {
  const columns = `volume_id AS volumeId, number, key, made_at AS madeAt, made_by AS madeBy, written, removed`;
  const before = prepare<VolumeCommit>(
    database,
    `SELECT ${columns} FROM volume_commits WHERE volume_id = :volumeId AND number < :number
     ORDER BY number DESC LIMIT :limit`,
  );
  const after = prepare<VolumeCommit>(
    database,
    `SELECT ${columns} FROM volume_commits WHERE volume_id = :id AND number > :oldest ORDER BY number LIMIT :limit`,
  );
  const withHistory = prepare<Volume>(
    database,
    `SELECT ${volumeColumns} FROM volumes INDEXED BY volumes_with_history
     WHERE head > oldest AND state <> 'deleted' AND id > :after ORDER BY id LIMIT :limit`,
  );
  const setOldest = prepare(database, `UPDATE volumes SET oldest = :oldest WHERE id = :volumeId`);
  const forgetCommits = prepare(
    database,
    `DELETE FROM volume_commits WHERE volume_id = :id AND number IN (
       SELECT number FROM volume_commits WHERE volume_id = :id AND number < :oldest ORDER BY number LIMIT :limit
     ) AND made_at < :before`,
  );
  return {
    commitsBefore: async (volumeId, number, limit) => before.all({ volumeId, number, limit }),
    withHistory: async (after, limit) => withHistory.all({ after, limit }),
    stateAt: async ({ id, oldest }, time, limit) => {
      let state = oldest;
      for (const { number, madeAt } of after.each({ id, oldest, limit })) {
        if (madeAt > time) break;
        state = number;
      }
      return state;
    },
    setOldest: async (volumeId, oldest) => void setOldest.run({ volumeId, oldest }),
    trim: trimIn(database),
    forgetCommits: async ({ id, oldest }, before, limit) => forgetCommits.run({ id, oldest, before, limit }),
  };
}

interface Past {
  path: string;
  since: number;
  until: number;
}

/**
 * What workers may still have of states that are not read any more must go from their disks, too: so of each path one row
 * stays that says from when to when it showed something, without what that was (`kind` is "gone").
 */
function trimIn(database: DatabaseSync): VolumeHistory["trim"] {
  const next = prepare<{ id: string; oldest: number; trimmed: number; path: string }>(
    database,
    `SELECT id, oldest, trimmed, trimmed_path AS path FROM volumes INDEXED BY volumes_to_trim
     WHERE trimmed < oldest AND state <> 'deleted' LIMIT 1`,
  );
  const past = prepare<Past>(
    database,
    `SELECT path, since, until FROM volume_entries INDEXED BY volume_entries_by_end
     WHERE volume_id = :id AND until IS NOT NULL AND until <= :oldest AND (until, path) > (:trimmed, :path)
     ORDER BY until, path LIMIT :limit`,
  );
  const earlier = prepare<{ since: number }>(
    database,
    `SELECT since FROM volume_entries WHERE volume_id = :id AND path = :path AND since < :since
     ORDER BY since DESC LIMIT 1`,
  );
  const empty = prepare(
    database,
    `UPDATE volume_entries SET kind = 'gone', mode = 0, mtime = 0, size = 0, content = x''
     WHERE volume_id = :id AND path = :path AND since = :since`,
  );
  const lengthen = prepare(
    database,
    `UPDATE volume_entries SET until = :until WHERE volume_id = :id AND path = :path AND since = :since`,
  );
  const remove = prepare(
    database,
    `DELETE FROM volume_entries WHERE volume_id = :id AND path = :path AND since = :since`,
  );
  const reached = prepare(database, `UPDATE volumes SET trimmed = :trimmed, trimmed_path = :path WHERE id = :id`);
  return async (limit) => {
    const volume = next.one();
    if (volume === undefined) return 0;
    const { id } = volume;
    const rows = past.all({ ...volume, limit });
    for (const { path, since, until } of rows) {
      // It ended before this one began, so it is empty already.
      const first = earlier.one({ id, path, since });
      if (first === undefined) empty.run({ id, path, since });
      else {
        remove.run({ id, path, since });
        lengthen.run({ id, path, since: first.since, until });
      }
    }
    const { until: trimmed, path } = rows.at(-1) ?? { until: 0, path: "" };
    if (rows.length === limit) reached.run({ id, trimmed, path });
    else reached.run({ id, trimmed: volume.oldest, path: lastPath });
    return limit; // there may be more
  };
}
