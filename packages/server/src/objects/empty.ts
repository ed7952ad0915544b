/** Removes the contents of what was emptied or deleted: out of sight already, a portion at a time. */
import type { Tx } from "../domain/store.ts";
import type { Emptied } from "../domain/sweep.ts";
import { later, noResult, portion } from "../sweeps/portion.ts";

/** Answers how many rows went at once. */
export async function empty(tx: Tx, what: Emptied, contents: number): Promise<number> {
  const target = String(contents);
  const rows = await emptySome(tx, what, target);
  await later(tx, { what, target, ...noResult }, rows);
  return rows;
}

export async function emptySome(tx: Tx, what: Emptied, target: string): Promise<number> {
  switch (what) {
    case "emptyDict":
      return await tx.dicts.removeAll(Number(target), portion);
    case "emptyQueue":
      return await tx.queues.removeAll(Number(target), portion);
    case "emptyPartition":
      return await tx.queues.removeItems(Number(target), portion);
  }
}
