/** A container's first signs of life. */
import { containerBell, demandBell } from "../domain/bells.ts";
import { type ContainerState, mayMove } from "../domain/container.ts";
import type { Context } from "../domain/context.ts";
import type { Tx } from "../domain/store.ts";

/** What a container gets for its exit hooks once it has nothing else to do. */
export const exitGraceMs = 30_000;

/** Moves forward, never back: the same news may come twice, or late. */
export async function advance(
  tx: Tx,
  containerId: string,
  to: Extract<ContainerState, "starting" | "ready">,
  context: Context,
): Promise<void> {
  const container = await tx.containers.get(containerId);
  if (container === undefined || !mayMove(container.state, to)) return;
  const readyAt = to === "ready" ? context.now : container.readyAt;
  await tx.containers.update({ ...container, state: to, readyAt, idleSince: context.now });
  if (to === "ready") tx.tell({ kind: "containerReady", container, readyAt: context.now });
  tx.ring(demandBell); // it has a deadline now, or another one may start
}

/** Tells a container to take no more inputs and end; it is killed if it has not by `killAt`. */
export async function drain(tx: Tx, containerId: string, killAt: number): Promise<void> {
  const container = await tx.containers.get(containerId);
  if (container === undefined || container.state === "gone") return;
  const earliest = Math.min(killAt, container.killAt ?? killAt);
  await tx.containers.update({ ...container, state: "draining", killAt: earliest });
  tx.ring(containerBell(container.id));
  tx.ring(demandBell); // it may have to be replaced, and it has a deadline
}
