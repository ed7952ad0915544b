/** SQL of functions, of the counts that stand beside them, and of classes. */
import type { DatabaseSync } from "node:sqlite";

import {
  type Binding,
  type CallTarget,
  type ClassRecord,
  type Demand,
  emptyPolicy,
  type FunctionPolicy,
  type FunctionRecord,
} from "../domain/function.ts";
import type { Classes, Functions } from "../domain/store.ts";
import type { ImageState } from "../domain/image.ts";
import { type Nullable, orUndefined, parseOnce, prepare } from "./sql.ts";

type Row = Omit<FunctionRecord, "policy" | "binding"> & {
  policy: string;
  baseId: Nullable<Binding["baseId"]>;
  bindingKey: Nullable<string>;
  parameters: Nullable<Uint8Array>;
  options: Nullable<Uint8Array>;
};

const columns = `id, app_id AS appId, name, definition_id AS definitionId, definition, client_version AS clientVersion,
  image_id AS imageId, policy, created_at AS createdAt, base_id AS baseId, binding_key AS bindingKey, parameters, options`;

type DemandRow = Omit<Demand, "policy" | "imageState"> & { policy: string; imageState: Nullable<ImageState> };

const toPolicy = parseOnce((text): FunctionPolicy => ({
  ...emptyPolicy,
  ...(JSON.parse(text) as Partial<FunctionPolicy>),
}));
const toDemand = (row: DemandRow): Demand => ({
  ...row,
  imageState: orUndefined(row.imageState),
  policy: toPolicy(row.policy),
});
const toFunction = ({ baseId, bindingKey: key, parameters, options, ...row }: Row): FunctionRecord => ({
  ...row,
  policy: toPolicy(row.policy),
  binding:
    baseId === null || key === null
      ? undefined
      : { baseId, key, parameters: parameters ?? new Uint8Array(), options: options ?? new Uint8Array() },
});

/** Functions that always have containers, of apps that can have some. CROSS JOIN: apps are looked up, not gone through. */
const kept = `SELECT functions.id FROM functions CROSS JOIN apps ON apps.id = app_id
  WHERE min_containers > 0 AND state IN ('ephemeral', 'detached', 'disconnected', 'deployed')`;

export function functionsIn(database: DatabaseSync): Functions {
  const put = prepare(
    database,
    `INSERT INTO functions (id, app_id, name, definition_id, definition, client_version, image_id, policy, created_at,
       base_id, binding_key, parameters, options, min_containers)
     VALUES (:id, :appId, :name, :definitionId, :definition, :clientVersion, :imageId, :policy, :createdAt,
       :baseId, :bindingKey, :parameters, :options, :minContainers)
     ON CONFLICT (id) DO UPDATE SET name = :name, definition_id = :definitionId, definition = :definition,
       client_version = :clientVersion, image_id = :imageId, policy = :policy, min_containers = :minContainers`,
  );
  const get = prepare<Row>(database, `SELECT ${columns} FROM functions WHERE id = :id`);
  const bound = prepare<Row>(database, `SELECT ${columns} FROM functions WHERE binding_key = :key`);
  const variants = prepare<Row>(database, `SELECT ${columns} FROM functions WHERE base_id = :baseId ORDER BY id`);
  const target = prepare<Omit<CallTarget, "defined"> & { defined: number }>(
    database,
    `SELECT id, app_id AS appId, name, length(definition) > 0 AS defined, queued + delayed AS waiting FROM functions WHERE id = :id`,
  );
  const ofApp = prepare<Row>(database, `SELECT ${columns} FROM functions WHERE app_id = :appId ORDER BY id`);
  const counts = `id AS functionId, definition_id AS definitionId, app_id AS appId,
    (SELECT environment_id FROM apps WHERE apps.id = app_id) AS environmentId, image_id AS imageId,
    (SELECT state FROM images WHERE images.id = image_id) AS imageState, policy, queued, claimed, delayed,
    crash_streak AS crashStreak, not_before AS notBefore`;
  const demands = prepare<DemandRow>(
    database,
    `SELECT ${counts} FROM functions WHERE id IN (
       SELECT id FROM functions WHERE queued > 0 OR claimed > 0
       UNION ${kept}
       UNION SELECT function_id FROM containers WHERE state <> 'gone') ORDER BY id`,
  );
  const demand = prepare<DemandRow>(database, `SELECT ${counts} FROM functions WHERE id = :id`);
  const addDemand = prepare(
    database,
    `UPDATE functions SET queued = queued + :queued, claimed = claimed + :claimed, delayed = delayed + :delayed
     WHERE id = :id`,
  );
  const setCrashes = prepare(
    database,
    `UPDATE functions SET crash_streak = :crashStreak, not_before = :notBefore WHERE id = :id`,
  );
  const named = prepare<{ id: string }>(database, `SELECT id FROM functions WHERE id = :idOrName OR name = :idOrName`);
  const first = (row: Row | undefined): FunctionRecord | undefined => row && toFunction(row);
  return {
    put: async ({ binding, policy, ...record }) =>
      void put.run({
        ...record,
        policy: JSON.stringify(policy),
        minContainers: policy.minContainers,
        baseId: binding?.baseId ?? null,
        bindingKey: binding?.key ?? null,
        parameters: binding?.parameters ?? null,
        options: binding?.options ?? null,
      }),
    get: async (id) => first(get.one({ id })),
    bound: async (key) => first(bound.one({ key })),
    variants: async (baseId) => variants.all({ baseId }).map(toFunction),
    target: async (id) => {
      const row = target.one({ id });
      return row && { ...row, defined: row.defined === 1 };
    },
    named: async (idOrName) => named.all({ idOrName }).map(({ id }) => id),
    ofApp: async (appId) => ofApp.all({ appId }).map(toFunction),
    demands: async () => demands.all().map(toDemand),
    demand: async (id) => {
      const row = demand.one({ id });
      return row && toDemand(row);
    },
    addDemand: async (id, { queued = 0, claimed = 0, delayed = 0 }) =>
      void addDemand.run({ id, queued, claimed, delayed }),
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
