/** SQL of containers. */
import type { DatabaseSync } from "node:sqlite";

import type { Container } from "../domain/container.ts";
import type { Containers } from "../domain/store.ts";
import { type Nullable, list, orNull, orUndefined, prepare } from "./sql.ts";

type Optional = "readyAt" | "killAt" | "goneAt" | "goneReason";
type Row = Omit<Container, Optional | "gpus"> & { [K in Optional]: Nullable<NonNullable<Container[K]>> } & {
  gpuKind: Nullable<string>;
  gpuCount: number;
};

const columns = `id, function_id AS functionId, definition_id AS definitionId, app_id AS appId, worker_id AS workerId, state, fence,
  milli_cpu AS milliCpu, memory_mib AS memoryMib, gpu_kind AS gpuKind, gpu_count AS gpuCount, held, finished, created_at AS createdAt, ready_at AS readyAt,
  idle_since AS idleSince, kill_at AS killAt, gone_at AS goneAt, gone_reason AS goneReason, log_offset AS logOffset`;

const toContainer = ({ gpuKind, gpuCount, ...row }: Row): Container => ({
  ...row,
  gpus: gpuKind === null ? undefined : { kind: gpuKind, count: gpuCount },
  readyAt: orUndefined(row.readyAt),
  killAt: orUndefined(row.killAt),
  goneAt: orUndefined(row.goneAt),
  goneReason: orUndefined(row.goneReason),
});
const toRow = ({ gpus, ...container }: Container): Row => ({
  ...container,
  gpuKind: gpus?.kind ?? null,
  gpuCount: gpus?.count ?? 0,
  readyAt: orNull(container.readyAt),
  killAt: orNull(container.killAt),
  goneAt: orNull(container.goneAt),
  goneReason: orNull(container.goneReason),
});

export function containersIn(database: DatabaseSync): Containers {
  const insert = prepare(
    database,
    `INSERT INTO containers (id, function_id, definition_id, app_id, worker_id, state, fence, milli_cpu, memory_mib, gpu_kind, gpu_count, held, finished,
       created_at, ready_at, idle_since, kill_at, gone_at, gone_reason, log_offset)
     VALUES (:id, :functionId, :definitionId, :appId, :workerId, :state, :fence, :milliCpu, :memoryMib, :gpuKind, :gpuCount, :held, :finished,
       :createdAt, :readyAt, :idleSince, :killAt, :goneAt, :goneReason, :logOffset)`,
  );
  const get = prepare<Row>(database, `SELECT ${columns} FROM containers WHERE id = :id`);
  const update = prepare(
    database,
    `UPDATE containers SET state = :state, held = :held, finished = :finished, ready_at = :readyAt,
       idle_since = :idleSince, kill_at = :killAt, gone_at = :goneAt, gone_reason = :goneReason, log_offset = :logOffset
     WHERE id = :id`,
  );
  const addHeld = prepare(
    database,
    `UPDATE containers SET held = held + :held, finished = finished + :finished,
       idle_since = iif(held + :held = 0, :now, idle_since) WHERE id = :id AND state <> 'gone'`,
  );
  // Not by their ids, in the order of which they are wanted: most rows are of containers that are gone.
  const living = `SELECT ${columns} FROM containers INDEXED BY containers_alive WHERE state <> 'gone'`;
  const alive = prepare<Row>(database, `${living} ORDER BY id`);
  const ofWorker = prepare<Row>(database, `${living} AND worker_id = :workerId ORDER BY id`);
  const countOf = prepare<{ count: number }>(
    database,
    `SELECT count(*) AS count FROM containers WHERE function_id = :functionId AND state <> 'gone'`,
  );
  const ofApp = prepare<Row>(
    database,
    `SELECT ${columns} FROM containers WHERE app_id = :appId AND state IN (SELECT value FROM json_each(:states))
     ORDER BY id`,
  );
  const forget = prepare(
    database,
    `DELETE FROM containers WHERE id IN (SELECT id FROM containers WHERE gone_at < :goneBefore LIMIT :limit)`,
  );
  const during = prepare<{ total: number; creating: number }>(
    database,
    `SELECT count(*) AS total, ifnull(sum(ifnull(ready_at, :until) >= :until AND ifnull(gone_at, :until) >= :until), 0) AS creating
     FROM containers INDEXED BY containers_by_function
     WHERE function_id IN (SELECT value FROM json_each(:functionIds)) AND created_at < :until AND ifnull(gone_at, :since) >= :since
       AND :containerId IN ('', id)`,
  );
  return {
    insert: async (container) => void insert.run(toRow(container)),
    get: async (id) => {
      const row = get.one({ id });
      return row && toContainer(row);
    },
    update: async (container) => {
      const row = toRow(container);
      const { id, state, held, finished, readyAt, idleSince, killAt, goneAt, goneReason, logOffset } = row;
      update.run({ id, state, held, finished, readyAt, idleSince, killAt, goneAt, goneReason, logOffset });
    },
    addHeld: async (id, { held, finished }, now) => void addHeld.run({ id, held, finished, now }),
    countOf: async (functionId) => countOf.one({ functionId })?.count ?? 0,
    alive: async () => alive.all().map(toContainer),
    ofApp: async (appId, states) => ofApp.all({ appId, states: list(states) }).map(toContainer),
    ofWorker: async (workerId) => ofWorker.all({ workerId }).map(toContainer),
    during: async ({ functionIds, containerId = "", since, until }) =>
      during.one({ functionIds: list(functionIds), containerId, since, until }) ?? { total: 0, creating: 0 },
    forget: async (goneBefore, limit) => forget.run({ goneBefore, limit }),
  };
}
