/** Takes the definition of a function, and of a class over one. */
import type { Function } from "@lydian/contract";

import { livingApp } from "../apps/known.ts";
import type { Context } from "../domain/context.ts";
import { type ClassRecord, emptyPolicy, type FunctionPolicy, type FunctionRecord } from "../domain/function.ts";
import type { Tx } from "../domain/store.ts";
import { fail } from "../errors.ts";
import { secretsOf } from "../secrets/known.ts";
import { checkBuckets } from "../volumes/buckets.ts";
import { volumesOf } from "../volumes/mounts.ts";
import { rebindVariants } from "./bind.ts";
import { encodeDefinition, usedSecrets } from "./definition.ts";
import { digestOf, putEdition } from "./editions.ts";

export interface Definition {
  appId: string;
  definition: Function;
  policy: FunctionPolicy;
  /** From an earlier step, or empty. */
  existingId: string;
  clientVersion: string;
}

/** Gives a function its id before it is defined, so that functions can name each other. */
export async function reserveFunction(
  tx: Tx,
  request: { appId: string; name: string; existingId: string; clientVersion: string },
  context: Context,
): Promise<FunctionRecord> {
  const { id: appId } = await livingApp(tx, request.appId);
  const existing = await ownFunction(tx, appId, request.existingId);
  if (existing !== undefined) return existing;
  const record: FunctionRecord = {
    id: context.newId("fu"),
    appId,
    name: request.name,
    definitionId: context.newId("de"),
    definition: new Uint8Array(),
    clientVersion: request.clientVersion,
    imageId: "",
    policy: emptyPolicy,
    createdAt: context.now,
    binding: undefined,
  };
  await tx.functions.put(record);
  return record;
}

/** In an app that is deployed it takes effect with the next deployment; one that is defined as before stays the same. */
export async function defineFunction(tx: Tx, request: Definition, context: Context): Promise<FunctionRecord> {
  const { definition } = request;
  const { id: appId, state } = await livingApp(tx, request.appId);
  if ((await tx.images.get(definition.imageId)) === undefined) {
    throw fail("notFound", `Image ${definition.imageId} of function "${definition.functionName}" does not exist.`);
  }
  for (const mountId of definition.mountIds) {
    if ((await tx.mounts.get(mountId)) === undefined) throw fail("notFound", `Mount ${mountId} does not exist.`);
  }
  await secretsOf(tx, definition.secretIds);
  await volumesOf(tx, definition);
  await checkBuckets(tx, definition);
  const existing = await ownFunction(tx, appId, request.existingId);
  const record: FunctionRecord = {
    id: existing?.id ?? context.newId("fu"),
    appId,
    name: definition.functionName,
    definitionId: context.newId("de"),
    definition: encodeDefinition(definition),
    clientVersion: request.clientVersion,
    imageId: definition.imageId,
    policy: request.policy,
    createdAt: existing?.createdAt ?? context.now,
    binding: undefined,
  };
  if (state !== "deployed") {
    await tx.functions.put(record);
    await tx.secrets.setUses(record.id, usedSecrets(definition));
    await rebindVariants(tx, record);
    if (state !== "initializing") return record;
  }
  const digest = await digestOf(tx, request);
  if (existing !== undefined && (await tx.editions.get(existing.definitionId))?.digest === digest) return existing;
  if (existing === undefined && state === "deployed") await tx.functions.put(undefinedYet(record));
  const { id: functionId, createdAt: _createdAt, binding: _binding, ...edition } = record;
  await putEdition(tx, { ...edition, functionId, digest, createdAt: context.now }, usedSecrets(definition));
  return record;
}

/** Only its name. */
function undefinedYet(record: FunctionRecord): FunctionRecord {
  return { ...record, definition: new Uint8Array(), imageId: "", policy: emptyPolicy };
}

export async function defineClass(
  tx: Tx,
  request: { appId: string; existingId: string },
  context: Context,
): Promise<ClassRecord> {
  const { id: appId } = await livingApp(tx, request.appId);
  const existing = request.existingId === "" ? undefined : await tx.classes.get(request.existingId);
  if (existing?.appId === appId) return existing;
  const record: ClassRecord = { id: context.newId("cs"), appId };
  await tx.classes.insert(record);
  return record;
}

async function ownFunction(tx: Tx, appId: string, id: string): Promise<FunctionRecord | undefined> {
  if (id === "") return undefined;
  const record = await tx.functions.get(id);
  if (record?.appId !== appId) throw fail("notFound", `Function ${id} does not exist in app ${appId}.`);
  return record;
}
