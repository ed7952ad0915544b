/** Changes how a function scales while it runs; a new definition undoes it. */
import { demandBell } from "../domain/bells.ts";
import type { FunctionPolicy } from "../domain/function.ts";
import type { Tx } from "../domain/store.ts";
import { fail } from "../errors.ts";

/** What is absent stays. */
export type ScalingChange = Partial<
  Pick<FunctionPolicy, "minContainers" | "maxContainers" | "bufferContainers" | "scaledownMs">
>;

export async function changeScaling(tx: Tx, functionId: string, change: ScalingChange): Promise<FunctionPolicy> {
  const record = await tx.functions.get(functionId);
  if (record === undefined) throw fail("notFound", `Function ${functionId} does not exist.`);
  const policy = { ...record.policy, ...change };
  if (policy.minContainers > policy.maxContainers) {
    const { minContainers: min, maxContainers: max } = policy;
    throw fail("invalidArgument", `Function "${record.name}" cannot keep ${min} containers and have at most ${max}.`);
  }
  await tx.functions.put({ ...record, policy });
  tx.ring(demandBell);
  return policy;
}
