/** SQL of images, and of the names under which they are published. */
import type { DatabaseSync } from "node:sqlite";

import type { BuiltImage, Image, Recipe } from "../domain/image.ts";
import type { Failure } from "../domain/input.ts";
import type { Images } from "../domain/image-store.ts";
import type { ImageUse } from "../domain/image-use.ts";
import type { ImageName, ImageRevision } from "../domain/stored.ts";
import { list, type Nullable, parseOnce, prepare } from "./sql.ts";

type Row = Omit<Image, "recipe" | "force" | "built" | "failure"> & {
  recipe: string;
  force: number;
  built: Nullable<string>;
  failure: Nullable<string>;
};

const columns = `id, key, builder_version AS builderVersion, recipe, force, state, since, losses, worker_id AS workerId,
  fence, built, failure, log_from AS logFrom`;

const toRecipe = parseOnce((text) => JSON.parse(text) as Recipe);
const toImage = (row: Row): Image => ({
  ...row,
  recipe: toRecipe(row.recipe),
  force: row.force === 1,
  built: row.built === null ? undefined : (JSON.parse(row.built) as BuiltImage),
  failure: row.failure === null ? undefined : (JSON.parse(row.failure) as Failure),
});
const toRow = ({ recipe, force, built, failure, ...image }: Image): Row => ({
  ...image,
  recipe: JSON.stringify(recipe),
  force: Number(force),
  built: built === undefined ? null : JSON.stringify(built),
  failure: failure === undefined ? null : JSON.stringify(failure),
});

/** A name's revisions as one row: SQLite takes what stands bare beside `max` from the row that has the maximum. */
const ofName = `name, image_id AS imageId, max(number) AS number, created_at AS updatedAt, created_by AS updatedBy,
  (SELECT first.created_at FROM image_revisions AS first WHERE first.environment_id = image_revisions.environment_id
     AND first.name = image_revisions.name ORDER BY first.number LIMIT 1) AS createdAt`;

export function imagesIn(database: DatabaseSync): Images {
  const put = prepare(
    database,
    `INSERT INTO images (id, key, builder_version, recipe, force, state, since, losses, worker_id, fence, built, built_at,
       failure, log_from, used_at)
     VALUES (:id, :key, :builderVersion, :recipe, :force, :state, :since, :losses, :workerId, :fence, :built,
       iif(:state = 'built', :since, NULL), :failure, :logFrom, :since)
     ON CONFLICT (id) DO UPDATE SET recipe = :recipe, force = :force, state = :state, since = :since, losses = :losses,
       used_at = max(used_at, :since),
       log_offset = iif(fence = :fence, log_offset, 0), worker_id = :workerId, fence = :fence, built = :built,
       built_at = iif(:state = 'built', :since, built_at), failure = :failure, log_from = :logFrom`,
  );
  const get = prepare<Row>(database, `SELECT ${columns} FROM images WHERE id = :id`);
  const byKey = prepare<Row>(
    database,
    `SELECT ${columns} FROM images WHERE key = :key AND key <> '' ORDER BY built_at DESC NULLS LAST, rowid DESC LIMIT 1`,
  );
  const underWay = prepare<Row>(
    database,
    `SELECT ${columns} FROM images WHERE state IN ('wanted', 'building') ORDER BY since, rowid`,
  );
  const toImages = (rows: Row[]): Image[] => rows.map(toImage);
  return {
    put: async (image) => void put.run(toRow(image)),
    get: async (id) => toImages([get.one({ id })].filter((row) => row !== undefined))[0],
    byKey: async (key) => toImages([byKey.one({ key })].filter((row) => row !== undefined))[0],
    underWay: async () => toImages(underWay.all()),
    ...usesIn(database),
    ...namesIn(database),
  };
}

/** What keeps an image, and what asked for it last. CROSS JOIN: functions are found by their image, and then their apps. */
const needs = `state IN ('wanted', 'building')
  OR EXISTS (SELECT 1 FROM functions CROSS JOIN apps ON apps.id = app_id
     WHERE image_id = images.id AND apps.state <> 'stopped')
  OR EXISTS (SELECT 1 FROM image_revisions AS own WHERE image_id = images.id AND NOT EXISTS (
     SELECT 1 FROM image_revisions AS later
     WHERE later.environment_id = own.environment_id AND later.name = own.name AND later.number > own.number))`;
const lastStop = `coalesce((SELECT max(stopped_at) FROM functions CROSS JOIN apps ON apps.id = app_id
  WHERE image_id = images.id), 0)`;

type UseRow = Omit<ImageUse, "bases" | "isNeeded" | "isListed"> & { bases: string; isNeeded: number; isListed: number };

/** An image that is asked for all the time is written down once a minute. */
const useRoundMs = 60_000;

function usesIn(database: DatabaseSync): Pick<Images, "setUsed" | "uses" | "remove"> {
  const setUsed = prepare(
    database,
    `UPDATE images SET used_at = :now WHERE id IN (SELECT value FROM json_each(:ids)) AND used_at <= :now - ${useRoundMs}`,
  );
  const uses = prepare<UseRow>(
    database,
    `SELECT id, recipe -> 'bases' AS bases, max(used_at, ${lastStop}) AS usedAt, (${needs}) AS isNeeded,
       EXISTS (SELECT 1 FROM image_revisions WHERE image_id = images.id UNION ALL
         SELECT 1 FROM editions WHERE image_id = images.id) AS isListed
     FROM images`,
  );
  const remove = prepare(database, `DELETE FROM images WHERE id = :id`);
  return {
    setUsed: async (ids, now) => void setUsed.run({ ids: list(ids), now }),
    uses: async () =>
      uses.all().map(({ bases, isNeeded, isListed, ...row }) => ({
        ...row,
        bases: Object.values(JSON.parse(bases) as Recipe["bases"]),
        isNeeded: isNeeded === 1,
        isListed: isListed === 1,
      })),
    remove: async (id) => void remove.run({ id }),
  };
}

function namesIn(database: DatabaseSync): Pick<Images, "publish" | "named" | "names" | "revisions" | "unpublish"> {
  const publish = prepare<{ number: number }>(
    database,
    `INSERT INTO image_revisions (environment_id, name, image_id, created_at, created_by)
     VALUES (:environmentId, :name, :imageId, :createdAt, :createdBy) RETURNING number`,
  );
  const named = prepare<ImageName>(
    database,
    `SELECT ${ofName} FROM image_revisions WHERE environment_id = :environmentId AND name = :name GROUP BY name`,
  );
  const names = prepare<ImageName>(
    database,
    `SELECT ${ofName} FROM image_revisions
     WHERE environment_id = :environmentId AND name > :after AND name >= :prefix AND substr(name, 1, length(:prefix)) = :prefix
     GROUP BY name HAVING :imageId = '' OR imageId = :imageId ORDER BY name LIMIT :limit`,
  );
  const revisions = prepare<ImageRevision>(
    database,
    `SELECT number, image_id AS imageId, created_at AS createdAt, created_by AS createdBy FROM image_revisions
     WHERE environment_id = :environmentId AND name = :name AND number < :before ORDER BY number DESC LIMIT :limit`,
  );
  const unpublish = prepare(
    database,
    `DELETE FROM image_revisions WHERE environment_id = :environmentId AND name = :name`,
  );
  return {
    publish: async (publication) => publish.one({ ...publication })?.number ?? 0,
    named: async (environmentId, name) => named.one({ environmentId, name }),
    names: async (environmentId, filter, limit) => names.all({ environmentId, ...filter, limit }),
    revisions: async (environmentId, name, before, limit) => revisions.all({ environmentId, name, before, limit }),
    unpublish: async (environmentId, name) => unpublish.run({ environmentId, name }),
  };
}
