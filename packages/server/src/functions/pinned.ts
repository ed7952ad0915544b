/**
 * A function as it was in a version of its app that is not in effect: a function of its own, with its own queue and containers,
 * that no later deployment changes. It keeps no containers by itself; where nothing has changed since, it is the one in effect.
 */
import { createHash } from "node:crypto";

import { knownVersion } from "../apps/known.ts";
import type { App, AppLayout } from "../domain/app.ts";
import type { Context } from "../domain/context.ts";
import type { FunctionRecord } from "../domain/function.ts";
import type { Tx } from "../domain/store.ts";
import { fail } from "../errors.ts";
import { decodeDefinition, usedSecrets } from "./definition.ts";

/** What an app consists of in a version. */
export interface Composition {
  layout: AppLayout;
  /** Ids of definitions by the functions' ids; of one that is not named, what is in effect. */
  definitions: Readonly<Record<string, string>>;
}

/** `version` 0 is the one in effect. */
export async function compositionOf(tx: Tx, app: App, version: number): Promise<Composition> {
  if (version === 0 || version === app.version) return { layout: app.layout, definitions: {} };
  const deployment = await knownVersion(tx, app, version);
  if (deployment.isKept) return deployment;
  throw fail("failedPrecondition", `Version v${version} of app "${app.name}" is too old: its functions are gone.`, {
    hint: "Leave the version out",
  });
}

/** Undefined where there is no such function. */
export async function functionIn(
  tx: Tx,
  functionId: string,
  { definitions }: Composition,
  context: Context,
): Promise<FunctionRecord | undefined> {
  const record = await tx.functions.get(functionId);
  const definitionId = definitions[functionId];
  if (record === undefined || definitionId === undefined || definitionId === record.definitionId) return record;
  const key = createHash("sha256").update(`pinned ${definitionId}`).digest("hex");
  const known = await tx.functions.bound(key);
  if (known !== undefined) return known;
  const edition = await tx.editions.get(definitionId);
  if (edition === undefined) return undefined;
  const { name, definition, clientVersion, imageId, definitionId: own } = edition;
  const id = context.newId("fu");
  const pinned: FunctionRecord = {
    ...{ id, appId: record.appId, name, definitionId: own, definition, clientVersion, imageId, createdAt: context.now },
    policy: { ...edition.policy, minContainers: 0, bufferContainers: 0 },
    // Bound to nothing but itself: what is defined anew never reaches it.
    binding: { baseId: id, key, parameters: new Uint8Array(), options: new Uint8Array() },
  };
  await tx.functions.put(pinned);
  await tx.secrets.setUses(id, usedSecrets(decodeDefinition(pinned)));
  return pinned;
}
