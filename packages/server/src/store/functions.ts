/** SQL of functions, of the counts that stand beside them, and of classes. */
import type { DatabaseSync } from "node:sqlite";

import type { CallTarget, ClassRecord, Demand, FunctionRecord, ScalingPolicy } from "../domain/function.ts";
import type { Classes, Functions } from "../domain/store.ts";
import { prepare } from "./sql.ts";

type Row = Omit<FunctionRecord, "policy"> & { policy: string };

const columns = `id, app_id AS appId, name, definition_id AS definitionId, definition, client_version AS clientVersion,
  image_id AS imageId, policy, created_at AS createdAt`;

type DemandRow = Omit<Demand, "policy"> & { policy: string };

const toDemand = (row: DemandRow): Demand => ({ ...row, policy: JSON.parse(row.policy) as ScalingPolicy });
const toFunction = (row: Row): FunctionRecord => ({ ...row, policy: JSON.parse(row.policy) as ScalingPolicy });

export function functionsIn(database: DatabaseSync): Functions {
  const put = prepare(
    database,
    `INSERT INTO functions
       (id, app_id, name, definition_id, definition, client_version, image_id, policy, created_at)
     VALUES (:id, :appId, :name, :definitionId, :definition, :clientVersion, :imageId, :policy, :createdAt)
     ON CONFLICT (id) DO UPDATE SET name = :name, definition_id = :definitionId, definition = :definition,
       client_version = :clientVersion, image_id = :imageId, policy = :policy`,
  );
  const get = prepare<Row>(database, `SELECT ${columns} FROM functions WHERE id = :id`);
  const target = prepare<Omit<CallTarget, "defined"> & { defined: number }>(
    database,
    `SELECT id, app_id AS appId, name, length(definition) > 0 AS defined FROM functions WHERE id = :id`,
  );
  const ofApp = prepare<Row>(database, `SELECT ${columns} FROM functions WHERE app_id = :appId ORDER BY id`);
  const counts = `id AS functionId, app_id AS appId, policy, queued, claimed, crash_streak AS crashStreak,
    not_before AS notBefore`;
  const demands = prepare<DemandRow>(
    database,
    `SELECT ${counts} FROM functions WHERE id IN (
       SELECT id FROM functions WHERE queued > 0 OR claimed > 0
       UNION SELECT function_id FROM containers WHERE state <> 'gone') ORDER BY id`,
  );
  const demand = prepare<DemandRow>(database, `SELECT ${counts} FROM functions WHERE id = :id`);
  const addDemand = prepare(
    database,
    `UPDATE functions SET queued = queued + :queued, claimed = claimed + :claimed WHERE id = :id`,
  );
  const setCrashes = prepare(
    database,
    `UPDATE functions SET crash_streak = :crashStreak, not_before = :notBefore WHERE id = :id`,
  );
  return {
    put: async (record) => void put.run({ ...record, policy: JSON.stringify(record.policy) }),
    get: async (id) => {
      const row = get.one({ id });
      return row && toFunction(row);
    },
    target: async (id) => {
      const row = target.one({ id });
      return row && { ...row, defined: row.defined === 1 };
    },
    ofApp: async (appId) => ofApp.all({ appId }).map(toFunction),
    demands: async () => demands.all().map(toDemand),
    demand: async (id) => {
      const row = demand.one({ id });
      return row && toDemand(row);
    },
    addDemand: async (id, { queued = 0, claimed = 0 }) => void addDemand.run({ id, queued, claimed }),
    setCrashes: async (id, crashStreak, notBefore) => void setCrashes.run({ id, crashStreak, notBefore }),
  };
}

export function classesIn(database: DatabaseSync): Classes {
  const fields = `id, app_id AS appId`;
  const insert = prepare(database, `INSERT INTO classes (id, app_id) VALUES (:id, :appId)`);
  const get = prepare<ClassRecord>(database, `SELECT ${fields} FROM classes WHERE id = :id`);
  const ofApp = prepare<ClassRecord>(database, `SELECT ${fields} FROM classes WHERE app_id = :appId ORDER BY id`);
  return {
    insert: async (record) => void insert.run({ ...record }),
    get: async (id) => get.one({ id }),
    ofApp: async (appId) => ofApp.all({ appId }),
  };
}
