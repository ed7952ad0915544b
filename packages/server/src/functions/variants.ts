/** The variants of a function: what its class's arguments, or other options, have made of it. */
import { fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { FunctionOptionsSchema, type FunctionVariantInfoSchema } from "@lydian/contract";

import type { FunctionRecord } from "../domain/function.ts";
import type { Tx } from "../domain/store.ts";
import { fail } from "../errors.ts";

/** Those with the most containers first, when the list has a limit; else the newest first. */
export async function listVariants(tx: Tx, functionId: string, limit: number | undefined): Promise<FunctionRecord[]> {
  const variants = (await withVariants(tx, functionId)).slice(1);
  const newestFirst = variants.toSorted((a, b) => b.createdAt - a.createdAt);
  if (limit === undefined) return newestFirst;
  const counted = await Promise.all(
    newestFirst.map(async (record) => ({ record, containers: await tx.containers.countOf(record.id) })),
  );
  return counted
    .toSorted((a, b) => b.containers - a.containers)
    .slice(0, limit)
    .map(({ record }) => record);
}

/** The function itself, and then them. */
export async function withVariants(tx: Tx, functionId: string): Promise<FunctionRecord[]> {
  const record = await tx.functions.get(functionId);
  if (record === undefined) throw fail("notFound", `Function ${functionId} does not exist.`);
  return [record, ...(await tx.functions.variants(functionId))];
}

export function variantInfo({ id, binding }: FunctionRecord): MessageInitShape<typeof FunctionVariantInfoSchema> {
  const { parameters = new Uint8Array(), options = new Uint8Array() } = binding ?? {};
  return {
    functionId: id,
    serializedParams: parameters,
    ...(options.length > 0 && { functionOptions: fromBinary(FunctionOptionsSchema, options) }),
  };
}
