/** Finds the image that a client asks for, or has it made. */
import { createHash } from "node:crypto";

import type { Image as Asked } from "@lydian/contract";

import type { ContentStore } from "../content/content-store.ts";
import type { Context } from "../domain/context.ts";
import type { Image, Recipe } from "../domain/image.ts";
import type { Tx } from "../domain/store.ts";
import type { WorkerView } from "../domain/worker.ts";
import { fail } from "../errors.ts";
import { emptyManifestSha256 } from "../mounts/manifest.ts";
import { identityOf } from "../secrets/known.ts";
import { volumesOf } from "../volumes/mounts.ts";
import type { FoundFunction } from "./build-function.ts";
import { keyOf, recipeOf } from "./recipe.ts";
import { wantImage } from "./transition.ts";

export interface Wish {
  recipe: Recipe;
  key: string;
  builderVersion: string;
}

/** How much of what is there is to be used. `anew`: all is made again, and replaces it; `apart`: again, beside it. */
export type Reuse = "all" | "anew" | "apart";

/** Files that came within the message become content; until now nothing else is written. */
export async function keepContextFiles(content: ContentStore, asked: Asked): Promise<Recipe["contextFiles"]> {
  const files: { path: string; sha256: string }[] = [];
  for (const { filename, data } of asked.contextFiles) {
    const path = filename.startsWith("/") ? filename : `/${filename}`;
    if (path.split("/").includes("..")) {
      throw fail("invalidArgument", `The path "${filename}" of a context file leads out of the context.`);
    }
    const sha256 = createHash("sha256").update(data).digest("hex");
    await content.put(data, { expectedSha256: sha256 }); // what is there already is not written again
    files.push({ path, sha256 });
  }
  return files;
}

/** What a request brings along, or was looked up for it. */
export interface Asking {
  contextFiles: Recipe["contextFiles"];
  builderVersion: string;
  called: FoundFunction | undefined;
}

/** Throws when something that the image is made of does not exist. */
export async function readWish(tx: Tx, asked: Asked, { contextFiles, builderVersion, called }: Asking): Promise<Wish> {
  for (const { imageId, dockerTag } of asked.baseImages) {
    if ((await tx.images.get(imageId)) === undefined) {
      throw fail("notFound", `Image ${imageId}, the base "${dockerTag}" of this one, does not exist.`);
    }
  }
  const mount = asked.contextMountId === "" ? undefined : await tx.mounts.get(asked.contextMountId);
  if (mount === undefined && asked.contextMountId !== "") {
    throw fail("notFound", `Mount ${asked.contextMountId}, the image's context, does not exist.`);
  }
  const manifest = mount?.name === "" && mount.manifestSha256 !== emptyManifestSha256 ? mount.manifestSha256 : "";
  const secretIds = called?.secretIds ?? asked.secretIds;
  const recipe = recipeOf(asked, {
    contextManifestSha256: manifest,
    contextName: mount?.name ?? "",
    contextFiles,
    secretIds,
    secretsIdentity: secretIds.length === 0 ? "" : await identityOf(tx, secretIds),
    volumes: called?.volumes ?? (await volumesOf(tx, asked)),
    called: called?.step,
  });
  const registryIdentity = recipe.registry === undefined ? "" : await identityOf(tx, [recipe.registry.secretId]);
  return { recipe, builderVersion, key: keyOf(recipe, builderVersion, registryIdentity) };
}

/** Whether containers could begin with it, as far as is known. */
export function isThere({ id, state }: Pick<Image, "id" | "state">, workers: readonly WorkerView[]): boolean {
  if (state !== "built") return false;
  return workers.length === 0 || workers.some(({ images }) => images.has(id));
}

export async function getOrCreateImage(
  tx: Tx,
  wish: Wish,
  reuse: Reuse,
  workers: readonly WorkerView[],
  context: Context,
): Promise<Image> {
  const image = (reuse === "all" ? await known(tx, wish) : undefined) ?? (await create(tx, wish, reuse, context));
  await tx.images.setUsed([image.id, ...Object.values(image.recipe.bases)], context.now);
  const isMissing = image.state === "built" && !isThere(image, workers);
  return (await wantImage(tx, image.id, { isMissing }, context)) ?? image;
}

/** Equal values may be another secret's. */
export function hasItsSecrets({ recipe: own }: Pick<Image, "recipe">, { recipe }: Pick<Wish, "recipe">): boolean {
  return JSON.stringify([own.secretIds, own.registry]) === JSON.stringify([recipe.secretIds, recipe.registry]);
}

/**
 * With the secrets of this request: their values are the same, and those of earlier ones may be gone. And with its function:
 * the code around one that failed may have been mended.
 */
async function known(tx: Tx, { key, recipe }: Wish): Promise<Image | undefined> {
  const found = await tx.images.byKey(key);
  if (found === undefined) return undefined;
  const { secretIds, registry, called, volumes } = recipe;
  if (hasItsSecrets(found, { recipe }) && (called === undefined || found.state === "built")) return found;
  const renewed = { ...found, recipe: { ...found.recipe, secretIds, registry, called, ...(volumes && { volumes }) } };
  await tx.images.put(renewed);
  return renewed;
}

async function create(tx: Tx, wish: Wish, reuse: Reuse, context: Context): Promise<Image> {
  const image: Image = {
    ...wish,
    id: context.newId("im"),
    key: reuse === "apart" ? "" : wish.key,
    force: reuse !== "all",
    state: "idle",
    since: context.now,
    losses: 0,
    workerId: "",
    fence: "",
    built: undefined,
    failure: undefined,
    logFrom: "",
  };
  await tx.images.put(image);
  return image;
}
