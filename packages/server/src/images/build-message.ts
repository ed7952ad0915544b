/** What a worker is told to build: an image's recipe after those of all that it stands on, with secrets' values. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { worker } from "@lydian/contract";

import type { ContentStore } from "../content/content-store.ts";
import type { Image, RegistryLogin } from "../domain/image.ts";
import type { Store, Tx } from "../domain/store.ts";
import type { Values } from "../secrets/seal.ts";
import type { Vault } from "../secrets/vault.ts";
import { ancestorsOf } from "./ancestors.ts";
import { readBuildFunction } from "./build-function.ts";
import { type AskAws, credentialsFrom } from "./registry-credentials.ts";

export type Build = MessageInitShape<typeof worker.BuildSchema>;

export interface BuildDeps {
  store: Store;
  content: ContentStore;
  vault: Vault;
  askAws: AskAws;
}

interface Ingredients {
  image: Image;
  /** It needs secrets, and is told none. */
  isWithheld: boolean;
  secrets: Values;
  login: { registry: RegistryLogin; values: Values } | undefined;
}

/** `hasAlready` says which images the worker has: no step of those is run, so they are told no secret. */
export async function buildMessage(
  { store, content, vault, askAws }: BuildDeps,
  image: Image,
  hasAlready: (imageId: string) => boolean,
): Promise<Build> {
  const chain = await store.read(async (tx) => {
    const parts: Ingredients[] = [];
    for (const each of await ancestorsOf(tx, image)) {
      parts.push(hasAlready(each.id) ? withheld(each) : await ingredients(tx, vault, each));
    }
    return [...parts, await ingredients(tx, vault, image)];
  });
  const recipes = [];
  for (const { image: each, secrets, login, isWithheld } of chain) {
    const { recipe } = each;
    const contextFiles = [];
    for (const { path, sha256 } of recipe.contextFiles) contextFiles.push({ path, data: await content.read(sha256) });
    recipes.push({
      imageId: each.id,
      lines: [...recipe.lines],
      bases: { ...recipe.bases },
      contextManifestSha256: recipe.contextManifestSha256,
      contextName: recipe.contextName,
      contextFiles,
      buildArgs: { ...recipe.buildArgs },
      secrets: { ...secrets },
      secretsIdentity: recipe.secretsIdentity,
      volumes: [...(recipe.volumes ?? [])],
      ...(recipe.called && { function: await readBuildFunction(content, recipe.called) }),
      withheld: isWithheld,
      ...(login && { credentials: await credentialsFrom(login.registry.kind, login.values, askAws) }),
    });
  }
  return { recipes, force: image.force };
}

async function ingredients(tx: Tx, vault: Vault, image: Image): Promise<Ingredients> {
  const { secretIds, registry } = image.recipe;
  const secrets = await vault.environmentOf(tx, secretIds);
  const login = registry && { registry, values: await vault.environmentOf(tx, [registry.secretId]) };
  return { image, secrets, login, isWithheld: false };
}

function withheld(image: Image): Ingredients {
  const { secretIds, registry } = image.recipe;
  return { image, secrets: {}, login: undefined, isWithheld: secretIds.length > 0 || registry !== undefined };
}
