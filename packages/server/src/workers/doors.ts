/** Whose door a secret opens. */
import { createHash, timingSafeEqual } from "node:crypto";

import { isId } from "@lydian/kit";

import type { Store } from "../domain/store.ts";
import { openDoorSecret } from "./spec.ts";

/** Whose connection it is from here on. */
export interface Holder {
  /**
   * `restricted` is a container that may only take inputs and give outputs. The container of a function that is called in a
   * build goes by the image's id.
   */
  kind: "container" | "restricted" | "worker";
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
    return await deps.store.read(async (tx) => {
      if (isId("im", opened.id)) {
        const image = await tx.images.get(opened.id);
        const isBuilt = image?.state === "building" && image.fence === opened.fence;
        return isBuilt ? { kind: "container", id: image.id } : undefined;
      }
      const container = await tx.containers.get(opened.id);
      if (container?.fence !== opened.fence || container.state === "gone") return undefined;
      const demand = await tx.functions.demand(container.functionId);
      return { kind: demand?.policy.restricted === true ? "restricted" : "container", id: container.id };
    });
  };
}
