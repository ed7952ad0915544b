/** SQL of images, and of the names under which they are published. */
import type { DatabaseSync } from "node:sqlite";

import type { BuiltImage, Image, Recipe } from "../domain/image.ts";
import type { Failure } from "../domain/input.ts";
import type { Images } from "../domain/store.ts";
import type { ImageName, ImageRevision } from "../domain/stored.ts";
import { type Nullable, parseOnce, prepare } from "./sql.ts";

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
       failure, log_from)
     VALUES (:id, :key, :builderVersion, :recipe, :force, :state, :since, :losses, :workerId, :fence, :built,
       iif(:state = 'built', :since, NULL), :failure, :logFrom)
     ON CONFLICT (id) DO UPDATE SET recipe = :recipe, force = :force, state = :state, since = :since, losses = :losses,
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
    ...namesIn(database),
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
