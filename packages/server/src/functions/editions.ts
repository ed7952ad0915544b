/**
 * What functions of deployed apps are defined as, apart from what is in effect: a client that deploys defines one function
 * after the other, and may die in between; nothing of that shows before the deployment names all of them at once.
 */
import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";

import { toBinary } from "@bufbuild/protobuf";
import { type Function, FunctionSchema$ } from "@lydian/contract";

import type { Edition, FunctionPolicy, FunctionRecord } from "../domain/function.ts";
import type { Tx } from "../domain/store.ts";
import { fail } from "../errors.ts";
import { identityOf } from "../secrets/known.ts";
import { secretOf } from "../volumes/buckets.ts";
import { rebindVariants } from "./bind.ts";
import { decodeDefinition, usedSecrets } from "./definition.ts";

/** Equal for definitions whose containers would be the same, values of secrets included. */
export async function digestOf(
  tx: Tx,
  { definition, policy, clientVersion }: { definition: Function; policy: FunctionPolicy; clientVersion: string },
): Promise<string> {
  // Secrets without a name have other ids in each deployment.
  const cloudBucketMounts = definition.cloudBucketMounts.map((mount) => ({ ...mount, credentialsSecretId: "" }));
  const bytes = toBinary(FunctionSchema$, { ...definition, secretIds: [], cloudBucketMounts });
  const buckets = definition.cloudBucketMounts.flatMap(secretOf);
  const rest = [await identityOf(tx, [...definition.secretIds, ...buckets]), clientVersion, policy];
  return createHash("sha256").update(bytes).update(JSON.stringify(rest)).digest("hex");
}

export async function putEdition(tx: Tx, edition: Edition, secretIds: readonly string[]): Promise<void> {
  await tx.editions.put(edition);
  await tx.secrets.setUses(edition.definitionId, secretIds);
}

/** Whether a function would be another one with this definition; undefined asks for what it has. */
export async function differs(tx: Tx, record: FunctionRecord, definitionId: string | undefined): Promise<boolean> {
  if (definitionId !== undefined && definitionId !== record.definitionId) return true;
  const edition = await tx.editions.get(record.definitionId);
  return edition !== undefined && !isDeepStrictEqual(edition.policy, record.policy);
}

/** From now on the function, with its variants, is what it was defined as then. */
export async function putInEffect(tx: Tx, definitionId: string): Promise<void> {
  const edition = await tx.editions.get(definitionId);
  const record = edition && (await tx.functions.get(edition.functionId));
  if (edition === undefined || record === undefined) {
    throw fail("failedPrecondition", `Definition ${definitionId} of a function is not known here any more.`, {
      hint: "Deploy again",
    });
  }
  const { name, definition, clientVersion, imageId, policy } = edition;
  const next: FunctionRecord = {
    ...record,
    name,
    definitionId: edition.definitionId,
    definition,
    clientVersion,
    imageId,
    policy,
  };
  await tx.functions.put(next);
  await tx.functions.setCrashes(next.id, 0, 0); // it may be mended
  await tx.secrets.setUses(next.id, usedSecrets(decodeDefinition(next)));
  await rebindVariants(tx, next);
}

/** A function that its app's deployment has no more keeps no containers; those who still call it are answered. */
export async function retire(tx: Tx, record: FunctionRecord): Promise<void> {
  for (const each of [record, ...(await tx.functions.variants(record.id))]) {
    const { minContainers, bufferContainers } = each.policy;
    if (minContainers + bufferContainers === 0) continue;
    await tx.functions.put({ ...each, policy: { ...each.policy, minContainers: 0, bufferContainers: 0 } });
  }
}
