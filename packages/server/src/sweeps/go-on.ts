/** The next portion of what was begun first: the table of all that can be done so. */
import { finishStop } from "../apps/stop.ts";
import { forgetSome, inputsOn } from "../calls/sweep.ts";
import type { Context } from "../domain/context.ts";
import type { Tx } from "../domain/store.ts";
import type { Sweep } from "../domain/sweep.ts";
import { emptySome } from "../objects/empty.ts";
import { clearSome } from "../identity/clear-environment.ts";
import { portion } from "./portion.ts";

/** Answers what that was if it is done now. */
export async function goOn(tx: Tx, context: Context): Promise<Sweep | undefined> {
  const first = await tx.sweeps.first();
  if (first === undefined || (await some(tx, first, context)) >= portion) return undefined;
  await tx.sweeps.remove(first);
  // An app that stops has stopped when nothing of it is left.
  const target = first.what === "fail" ? await tx.functions.target(first.target) : undefined;
  if (target !== undefined) await finishStop(tx, target.appId, context);
  return first;
}

/** Answers how many rows that were; a portion where there may be more. */
async function some(tx: Tx, sweep: Sweep, context: Context): Promise<number> {
  switch (sweep.what) {
    case "cancel":
    case "fail":
    case "failWaiting":
      return await inputsOn(tx, { ...sweep, what: sweep.what }, context);
    case "forget":
      return await forgetSome(tx, sweep.target);
    case "emptyDict":
    case "emptyQueue":
    case "emptyPartition":
      return await emptySome(tx, sweep.what, sweep.target);
    case "clearEnvironment":
      return await clearSome(tx, sweep.target, context);
  }
}
