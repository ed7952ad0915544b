/** Whether the clients of ephemeral dicts, queues and volumes are still there: one that nobody has spoken for goes with its contents. */
import { type Clock, isId, Leases, type Logger } from "@lydian/kit";

import type { Times } from "../config.ts";
import type { Store } from "../domain/store.ts";
import { deleteObject } from "./manage.ts";
import { isFail } from "../errors.ts";
import { deleteVolume } from "../volumes/manage.ts";

export interface HeartbeatsDeps {
  store: Store;
  clock: Clock;
  times: Times;
  log: Logger;
}

export class Heartbeats {
  readonly #deps: HeartbeatsDeps;
  readonly #leases: Leases;

  constructor(deps: HeartbeatsDeps) {
    this.#deps = deps;
    this.#leases = new Leases(deps.clock, (id) => void this.#expired(id));
  }

  /** After a restart every client has a whole term to be heard of. */
  async start(): Promise<void> {
    const ids = await this.#deps.store.read(async (tx) => [
      ...(await tx.objects.ephemeral()),
      ...(await tx.volumes.ephemeral()).map(({ id }) => id),
    ]);
    for (const id of ids) this.heard(id);
  }

  close(): void {
    this.#leases[Symbol.dispose]();
  }

  /** Of an ephemeral one. */
  heard(id: string): void {
    this.#leases.renew(id, this.#deps.times.ephemeralExpiry);
  }

  async #expired(id: string): Promise<void> {
    const { store, log } = this.#deps;
    try {
      await store.write((tx) => {
        if (isId("vo", id)) return deleteVolume(tx, id);
        return deleteObject(tx, isId("di", id) ? "dict" : "queue", id);
      });
    } catch (error) {
      if (isFail(error, "notFound")) return; // it was deleted
      log.error({ err: error, object: id }, "what a client that is gone has left could not be removed");
      this.heard(id); // tried again when this term is over
    }
  }
}
