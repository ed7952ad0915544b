/** Whose door a secret opens. */
import { createHash, timingSafeEqual } from "node:crypto";

import type { Store } from "../domain/store.ts";
import type { Identity } from "../ingress/identity.ts";
import { openDoorSecret } from "./spec.ts";

/** The worker of this machine, as the one that the supervisor started. */
const localWorker: Identity = { kind: "worker", id: "local" };

export function doorResolver(deps: {
  store: Store;
  serverKey: Uint8Array;
  workerSecret: string;
}): (secret: string) => Promise<Identity | undefined> {
  const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
  const workerDigest = digest(deps.workerSecret);
  return async (secret) => {
    if (timingSafeEqual(digest(secret), workerDigest)) return localWorker;
    const opened = openDoorSecret(deps.serverKey, secret);
    if (opened === undefined) return undefined;
    const container = await deps.store.read((tx) => tx.containers.get(opened.id));
    const isCurrent = container?.fence === opened.fence && container.state !== "gone";
    return isCurrent ? { kind: "container", id: container.id } : undefined;
  };
}
