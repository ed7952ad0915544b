/** What the code of a container, or of an image's step, asks for about a volume that it mounts: done by its worker. */
import { worker } from "@lydian/contract";

import { isId } from "@lydian/kit";

import type { Tx } from "../domain/store.ts";
import { fail } from "../errors.ts";
import type { Acting, WorkerSessions } from "../workers/sessions.ts";
import { knownVolume, nameOf } from "./known.ts";
import { type OwedDeps, settled } from "./owed.ts";

export const Act = worker.VolumeDo_Act;

export async function actOnVolume(
  platform: OwedDeps & { readonly sessions: WorkerSessions },
  containerId: string,
  volumeId: string,
  act: worker.VolumeDo_Act,
): Promise<void> {
  const { store, sessions } = platform;
  if (act === Act.RELOAD) await settled(platform, volumeId);
  const { container, volume } = await store.read(async (tx) => ({
    container: await runningAs(tx, containerId),
    volume: await knownVolume(tx, volumeId),
  }));
  if (container === undefined) {
    throw fail("failedPrecondition", `Container ${containerId} is gone, and what it wrote was committed at its end.`);
  }
  const { failure, passes } = await sessions.act(container, { volumeId, act, head: volume.head });
  if (failure === "") return;
  const name = nameOf(volume);
  const text = failure.includes(`olume ${name}`) ? failure : `Volume ${name}: ${failure}`; // what this server refuses names it
  throw fail(passes ? "unavailable" : "failedPrecondition", text);
}

async function runningAs(tx: Tx, id: string): Promise<Acting | undefined> {
  if (isId("im", id)) {
    const image = await tx.images.get(id);
    return image?.state === "building" ? image : undefined;
  }
  const container = await tx.containers.get(id);
  return container?.state === "gone" ? undefined : container;
}
