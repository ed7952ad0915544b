/** Variants of a function: a class with arguments, or other options; each with a pool of containers of its own. */
import { createHash } from "node:crypto";

import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { type FunctionOptions, FunctionOptionsSchema } from "@lydian/contract";

import { livingApp } from "../apps/known.ts";
import type { Context } from "../domain/context.ts";
import type { Binding, FunctionRecord } from "../domain/function.ts";
import type { Tx } from "../domain/store.ts";
import { fail } from "../errors.ts";
import { secretsOf } from "../secrets/known.ts";
import { checkBuckets } from "../volumes/buckets.ts";
import { volumesOf } from "../volumes/mounts.ts";
import { decodeDefinition, encodeDefinition, usedSecrets } from "./definition.ts";
import { withOptions } from "./options.ts";
import { compositionOf, functionIn } from "./pinned.ts";
import { functionPolicy, gpusOf } from "./policy.ts";

export interface BindRequest {
  functionId: string;
  /** Opaque; empty for a class without arguments. */
  parameters: Uint8Array;
  options: FunctionOptions | undefined;
}

/** As the clients' documentation has it. */
const mostParameterBytes = 16 * 1024;

/** The same request gives the same variant, which follows its base when that is defined anew. */
export async function bindFunction(tx: Tx, request: BindRequest, context: Context): Promise<FunctionRecord> {
  const { parameters } = request;
  if (parameters.length > mostParameterBytes) {
    throw fail("invalidArgument", `A class's arguments take ${parameters.length} bytes, and 16 KiB is the most.`);
  }
  const base = await baseOf(tx, request, context);
  if (base === undefined || base.definition.length === 0) {
    throw fail("notFound", `Function ${request.functionId} does not exist.`);
  }
  await livingApp(tx, base.appId);
  await secretsOf(tx, request.options?.secretIds ?? []);
  const { cloudBucketMounts = [], volumeMounts = [] } = request.options ?? {};
  await volumesOf(tx, { volumeMounts });
  await checkBuckets(tx, { cloudBucketMounts, volumeMounts });
  const options = request.options ? toBinary(FunctionOptionsSchema, request.options) : new Uint8Array();
  const key = bindingKey(base.id, parameters, options);
  const existing = await tx.functions.bound(key);
  if (existing !== undefined) return existing;
  const own = { id: context.newId("fu"), createdAt: context.now };
  return await putVariant(tx, base, { ...own, binding: { baseId: base.id, key, parameters, options } });
}

/** Some clients say with the options which version of its app the function is to be of. */
async function baseOf(
  tx: Tx,
  { functionId, options }: BindRequest,
  context: Context,
): Promise<FunctionRecord | undefined> {
  const record = await tx.functions.get(functionId);
  if (record === undefined || !options?.pinnedAppVersion) return record;
  const composition = await compositionOf(tx, await livingApp(tx, record.appId), options.pinnedAppVersion);
  return await functionIn(tx, record.id, composition, context);
}

/** After its base was defined anew. */
export async function rebindVariants(tx: Tx, base: FunctionRecord): Promise<void> {
  for (const { id, createdAt, binding } of await tx.functions.variants(base.id)) {
    if (binding === undefined) continue;
    await rebindVariants(tx, await putVariant(tx, base, { id, createdAt, binding }));
    await tx.functions.setCrashes(id, 0, 0); // as of its base
  }
}

async function putVariant(
  tx: Tx,
  base: FunctionRecord,
  own: Pick<FunctionRecord, "id" | "createdAt"> & { binding: Binding },
): Promise<FunctionRecord> {
  const { options: bytes } = own.binding;
  const options = bytes.length === 0 ? undefined : fromBinary(FunctionOptionsSchema, bytes);
  const defined = decodeDefinition(base);
  const definition = options === undefined ? defined : withOptions(defined, options);
  // A choice of accelerators stands beside the definition.
  const gpus = options?.resources === undefined ? base.policy.needs.gpus : gpusOf([definition]);
  const policy = functionPolicy(definition, "variant", gpus);
  const variant = { ...base, ...own, definition: encodeDefinition(definition), policy };
  await tx.functions.put(variant);
  await tx.secrets.setUses(variant.id, usedSecrets(definition));
  return variant;
}

function bindingKey(baseId: string, parameters: Uint8Array, options: Uint8Array): string {
  const lengths = `${baseId}\0${parameters.length}\0`;
  return createHash("sha256").update(lengths).update(parameters).update(options).digest("hex");
}
