/** Whose door a secret opens. */
import { createHash, timingSafeEqual } from "node:crypto";

import type { Store } from "../domain/store.ts";
import { openDoorSecret } from "./spec.ts";

/** Whose connection it is from here on. */
export interface Holder {
  kind: "container" | "worker";
  id: string;
}

/** The worker of this machine, as the one that the supervisor started. */
const localWorker: Holder = { kind: "worker", id: "local" };

export function doorResolver(deps: {
  store: Store;
  serverKey: Uint8Array;
  workerSecret: string;
}): (secret: string) => Promise<Holder | undefined> {
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
