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
  type Terms,
} from "../domain/function.ts";
import type { Classes, Functions } from "../domain/store.ts";
import type { ImageState } from "../domain/image.ts";
import { type Nullable, orUndefined, parseOnce, prepare } from "./sql.ts";

type Row = Omit<FunctionRecord, "policy" | "binding" | "definition"> & {
  definition: Nullable<Uint8Array>;
  policy: string;
  baseId: Nullable<Binding["baseId"]>;
  bindingKey: Nullable<string>;
  parameters: Nullable<Uint8Array>;
  options: Nullable<Uint8Array>;
};

const columns = `id, app_id AS appId, name, definition_id AS definitionId,
  (SELECT definition FROM definitions WHERE function_id = id) AS definition, client_version AS clientVersion,
  image_id AS imageId, policy, created_at AS createdAt, base_id AS baseId, binding_key AS bindingKey, parameters, options`;

type TermsRow = Omit<Terms, "policy"> & { policy: string };
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
const toFunction = ({ baseId, bindingKey: key, parameters, options, definition, ...row }: Row): FunctionRecord => ({
  ...row,
  definition: definition ?? new Uint8Array(),
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
    `INSERT INTO functions (id, app_id, name, definition_id, client_version, image_id, policy, created_at,
       base_id, binding_key, parameters, options, min_containers)
     VALUES (:id, :appId, :name, :definitionId, :clientVersion, :imageId, :policy, :createdAt,
       :baseId, :bindingKey, :parameters, :options, :minContainers)
     ON CONFLICT (id) DO UPDATE SET name = :name, definition_id = :definitionId,
       client_version = :clientVersion, image_id = :imageId, policy = :policy, min_containers = :minContainers`,
  );
  // Apart, as it may be large, and what is read for each call is not.
  const define = prepare(
    database,
    `INSERT INTO definitions (function_id, definition) VALUES (:id, :definition)
     ON CONFLICT (function_id) DO UPDATE SET definition = :definition`,
  );
  const get = prepare<Row>(database, `SELECT ${columns} FROM functions WHERE id = :id`);
  const bound = prepare<Row>(database, `SELECT ${columns} FROM functions WHERE binding_key = :key`);
  const variants = prepare<Row>(database, `SELECT ${columns} FROM functions WHERE base_id = :baseId ORDER BY id`);
  const target = prepare<Omit<CallTarget, "defined"> & { defined: number }>(
    database,
    `SELECT id, app_id AS appId, name, (SELECT state FROM apps WHERE apps.id = app_id) AS appState, EXISTS (SELECT 1 FROM definitions WHERE function_id = id) AS defined,
       ifnull((SELECT queued + delayed FROM demands WHERE function_id = id), 0) AS waiting FROM functions WHERE id = :id`,
  );
  const ofApp = prepare<Row>(database, `SELECT ${columns} FROM functions WHERE app_id = :appId ORDER BY id`);
  const named = prepare<{ id: string }>(database, `SELECT id FROM functions WHERE id = :idOrName OR name = :idOrName`);
  const first = (row: Row | undefined): FunctionRecord | undefined => row && toFunction(row);
  return {
    put: async ({ binding, policy, definition, ...record }) => {
      put.run({
        ...record,
        policy: JSON.stringify(policy),
        minContainers: policy.minContainers,
        baseId: binding?.baseId ?? null,
        bindingKey: binding?.key ?? null,
        parameters: binding?.parameters ?? null,
        options: binding?.options ?? null,
      });
      if (definition.length > 0) define.run({ id: record.id, definition });
    },
    get: async (id) => first(get.one({ id })),
    bound: async (key) => first(bound.one({ key })),
    variants: async (baseId) => variants.all({ baseId }).map(toFunction),
    target: async (id) => {
      const row = target.one({ id });
      return row && { ...row, defined: row.defined === 1 };
    },
    named: async (idOrName) => named.all({ idOrName }).map(({ id }) => id),
    ofApp: async (appId) => ofApp.all({ appId }).map(toFunction),
    ...demandsIn(database),
  };
}

/** What the scheduler looks at, and the counts that it finds there. */
function demandsIn(
  database: DatabaseSync,
): Pick<Functions, "demand" | "demands" | "terms" | "addDemand" | "setCrashes"> {
  const counts = `id AS functionId, definition_id AS definitionId, app_id AS appId,
    (SELECT environment_id FROM apps WHERE apps.id = app_id) AS environmentId, image_id AS imageId,
    (SELECT state FROM images WHERE images.id = image_id) AS imageState, policy, ifnull(queued, 0) AS queued,
    ifnull(claimed, 0) AS claimed, ifnull(delayed, 0) AS delayed, crash_streak AS crashStreak, not_before AS notBefore`;
  const counted = `SELECT ${counts} FROM functions LEFT JOIN demands ON function_id = id`;
  const demands = prepare<DemandRow>(
    database,
    `${counted} WHERE id IN (
       SELECT function_id FROM demands WHERE queued > 0 OR claimed > 0
       UNION ${kept}
       UNION SELECT function_id FROM containers WHERE state <> 'gone') ORDER BY id`,
  );
  const demand = prepare<DemandRow>(database, `${counted} WHERE id = :id`);
  const terms = prepare<TermsRow>(
    database,
    `SELECT policy, crash_streak AS crashStreak, not_before AS notBefore FROM functions WHERE id = :id`,
  );
  const addDemand = prepare<{ left: number }>(
    database,
    `INSERT INTO demands VALUES (:id, :queued, :claimed, :delayed)
     ON CONFLICT (function_id) DO UPDATE SET queued = queued + :queued, claimed = claimed + :claimed,
       delayed = delayed + :delayed RETURNING queued + claimed + delayed AS left`,
  );
  const dropDemand = prepare(database, `DELETE FROM demands WHERE function_id = :id`);
  const setCrashes = prepare(
    database,
    `UPDATE functions SET crash_streak = :crashStreak, not_before = :notBefore WHERE id = :id`,
  );
  return {
    demands: async () => demands.all().map(toDemand),
    demand: async (id) => {
      const row = demand.one({ id });
      return row && toDemand(row);
    },
    terms: async (id) => {
      const row = terms.one({ id });
      return row && { ...row, policy: toPolicy(row.policy) };
    },
    addDemand: async (id, { queued = 0, claimed = 0, delayed = 0 }) => {
      if (addDemand.one({ id, queued, claimed, delayed })?.left === 0) dropDemand.run({ id });
    },
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
