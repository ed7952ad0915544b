/** Ephemeral volumes: heartbeats kept, silence answered by the volume's end. */
import { type Clock, Leases, type Logger } from "@lydian/kit";

import type { Times } from "../config.ts";
import type { Store } from "../domain/store.ts";
import { deleteVolume } from "./manage.ts";

export class VolumeLives {
  readonly #deps: { store: Store; clock: Clock; times: Times; log: Logger };
  readonly #leases: Leases;

  constructor(deps: { store: Store; clock: Clock; times: Times; log: Logger }) {
    this.#deps = deps;
    this.#leases = new Leases(deps.clock, (volumeId) => void this.#expired(volumeId));
  }

  /** After a restart every client has a whole term to be heard of. */
  async start(): Promise<void> {
    for (const { id } of await this.#deps.store.read((tx) => tx.volumes.ephemeral())) this.heard(id);
  }

  close(): void {
    this.#leases[Symbol.dispose]();
  }

  heard(volumeId: string): void {
    this.#leases.renew(volumeId, this.#deps.times.objectExpiry);
  }

  async #expired(volumeId: string): Promise<void> {
    const { store, log } = this.#deps;
    try {
      await store.write(async (tx) => {
        const volume = await tx.volumes.get(volumeId);
        if (volume?.state === "ephemeral") await deleteVolume(tx, volumeId);
      });
    } catch (error) {
      log.error({ err: error, volume: volumeId }, "an ephemeral volume whose client is gone could not be deleted");
      this.heard(volumeId); // tried again when this term is over
    }
  }
}
