/** How much of what is too much is done at once, and how the rest is left to be done. */
import { DataFormat } from "@lydian/contract";

import { sweepsBell } from "../domain/bells.ts";
import type { Tx } from "../domain/store.ts";
import type { Sweep } from "../domain/sweep.ts";

/** Rows in one unit of work: about 12 ms of processor time. */
export const portion = 200;

/** For what ends nothing that waits for a result. */
export const noResult = { result: new Uint8Array(), dataFormat: DataFormat.UNSPECIFIED };

/** `rows` of it were done at once: there may be more (sweeper.ts goes on with it, over restarts too). */
export async function later(tx: Tx, sweep: Sweep, rows: number): Promise<void> {
  if (rows < portion) return;
  await tx.sweeps.insert(sweep);
  tx.ring(sweepsBell);
}
