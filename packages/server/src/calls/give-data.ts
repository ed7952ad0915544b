/** Keeps what a call's code gives while it runs. */
import { dataBell } from "../domain/bells.ts";
import type { Chunk } from "../domain/chunk.ts";
import type { Tx } from "../domain/store.ts";

/** Of a call that this container has no input of, nothing is kept: it came too late, or from a stranger. */
export async function giveData(tx: Tx, containerId: string, callId: string, chunks: readonly Chunk[]): Promise<void> {
  const held = await tx.inputs.heldBy(containerId);
  if (!held.some((input) => input.callId === callId)) return;
  if ((await tx.calls.get(callId))?.shape === "web") return; // nobody waits for the answer any more
  await tx.chunks.insert(callId, chunks);
  tx.ring(dataBell(callId));
}
