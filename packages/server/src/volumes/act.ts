/** What a container's own code asks for about a volume that it mounts: done by its worker. */
import { worker } from "@lydian/contract";

import type { Store } from "../domain/store.ts";
import { fail } from "../errors.ts";
import type { WorkerSessions } from "../workers/sessions.ts";
import { knownVolume, nameOf } from "./known.ts";

export const Act = worker.VolumeDo_Act;

export async function actOnVolume(
  { store, sessions }: { store: Store; sessions: WorkerSessions },
  containerId: string,
  volumeId: string,
  act: worker.VolumeDo_Act,
): Promise<void> {
  const { container, volume } = await store.read(async (tx) => ({
    container: await tx.containers.get(containerId),
    volume: await knownVolume(tx, volumeId),
  }));
  if (container === undefined || container.state === "gone") {
    throw fail("failedPrecondition", `Container ${containerId} is gone, and what it wrote was committed at its end.`);
  }
  const { failure, passes } = await sessions.act(container, volumeId, act);
  if (failure === "") return;
  throw fail(passes ? "unavailable" : "failedPrecondition", `Volume ${nameOf(volume)}: ${failure}`);
}
