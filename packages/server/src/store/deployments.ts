/** SQL of deployments, and of what functions were in them. */
import type { DatabaseSync } from "node:sqlite";

import type { AppLayout } from "../domain/app.ts";
import type { Deployment, Deployments, Editions } from "../domain/deployment.ts";
import { type Edition, emptyPolicy, type FunctionPolicy } from "../domain/function.ts";
import { list, prepare } from "./sql.ts";

type Row = Omit<Deployment, "isKept" | "layout" | "definitions"> & {
  isKept: number;
  layout: string;
  definitions: string;
};

const columns = `app_id AS appId, version, kind, made_from AS madeFrom, deployed_at AS deployedAt, deployed_by AS deployedBy,
  client_version AS clientVersion, tag, revision, is_kept AS isKept, layout, definitions`;

const toDeployment = (row: Row): Deployment => ({
  ...row,
  isKept: row.isKept === 1,
  layout: JSON.parse(row.layout) as AppLayout,
  definitions: JSON.parse(row.definitions) as Deployment["definitions"],
});

export function deploymentsIn(database: DatabaseSync): Deployments {
  const insert = prepare(
    database,
    `INSERT INTO app_versions (app_id, version, kind, made_from, deployed_at, deployed_by, client_version, tag, revision,
       is_kept, layout, definitions)
     VALUES (:appId, :version, :kind, :madeFrom, :deployedAt, :deployedBy, :clientVersion, :tag, :revision,
       :isKept, :layout, :definitions)`,
  );
  const keep = prepare(
    database,
    `UPDATE editions SET versions = versions + :more WHERE definition_id IN (
       SELECT value FROM app_versions, json_each(definitions) WHERE app_id = :appId AND version = :version)`,
  );
  const drop = prepare(
    database,
    `UPDATE app_versions SET is_kept = 0 WHERE app_id = :appId AND version = :version AND is_kept = 1`,
  );
  const get = prepare<Row>(
    database,
    `SELECT ${columns} FROM app_versions WHERE app_id = :appId AND version = :version`,
  );
  const ofApp = prepare<Row>(
    database,
    `SELECT ${columns} FROM app_versions WHERE app_id = :appId ORDER BY version DESC LIMIT :limit`,
  );
  const keptBefore = prepare<{ version: number }>(
    database,
    `SELECT version FROM app_versions WHERE app_id = :appId AND version < :version AND is_kept = 1 ORDER BY version`,
  );
  return {
    insert: async ({ isKept, layout, definitions, ...deployment }) => {
      const { appId, version } = deployment;
      const texts = { layout: JSON.stringify(layout), definitions: JSON.stringify(definitions) };
      insert.run({ ...deployment, ...texts, isKept: Number(isKept) });
      if (isKept) keep.run({ appId, version, more: 1 });
    },
    get: async (appId, version) => {
      const row = get.one({ appId, version });
      return row && toDeployment(row);
    },
    ofApp: async (appId, limit) => ofApp.all({ appId, limit }).map(toDeployment),
    drop: async (appId, version) => {
      if (drop.run({ appId, version }) > 0) keep.run({ appId, version, more: -1 });
    },
    keptBefore: async (appId, version) => keptBefore.all({ appId, version }).map((row) => row.version),
  };
}

type EditionRow = Omit<Edition, "policy"> & { policy: string };

export function editionsIn(database: DatabaseSync): Editions {
  const put = prepare(
    database,
    `INSERT INTO editions (definition_id, function_id, app_id, name, client_version, image_id, policy, digest, created_at,
       definition)
     VALUES (:definitionId, :functionId, :appId, :name, :clientVersion, :imageId, :policy, :digest, :createdAt, :definition)`,
  );
  const columns = `definition_id AS definitionId, function_id AS functionId, app_id AS appId, name,
    client_version AS clientVersion, image_id AS imageId, policy, digest, created_at AS createdAt, definition`;
  const get = prepare<EditionRow>(database, `SELECT ${columns} FROM editions WHERE definition_id = :definitionId`);
  const ofApp = prepare<EditionRow>(database, `SELECT ${columns} FROM editions WHERE app_id = :appId`);
  const toEdition = ({ policy, ...row }: EditionRow): Edition => ({
    ...row,
    policy: { ...emptyPolicy, ...(JSON.parse(policy) as Partial<FunctionPolicy>) },
  });
  const unnamed = prepare<{ id: string }>(
    database,
    `SELECT definition_id AS id FROM editions WHERE versions = 0 AND created_at < :before ORDER BY created_at LIMIT :limit`,
  );
  const ids = `SELECT value FROM json_each(:ids)`;
  const leave = prepare(database, `DELETE FROM secret_uses WHERE function_id IN (${ids})`);
  const remove = prepare(database, `DELETE FROM editions WHERE definition_id IN (${ids})`);
  return {
    put: async ({ policy, ...edition }) => void put.run({ ...edition, policy: JSON.stringify(policy) }),
    get: async (definitionId) => {
      const row = get.one({ definitionId });
      return row && toEdition(row);
    },
    ofApp: async (appId) => ofApp.all({ appId }).map(toEdition),
    forget: async (before, limit) => {
      const old = list(unnamed.all({ before, limit }).map(({ id }) => id));
      leave.run({ ids: old });
      return remove.run({ ids: old });
    },
  };
}
