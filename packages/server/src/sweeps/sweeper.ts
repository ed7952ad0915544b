/** Goes on with what was too much for one unit of work, a portion at a time, until nothing of it is left. */
import { type Bells, type Clock, type Logger, Lookout, type NewId } from "@lydian/kit";

import { sweepsBell } from "../domain/bells.ts";
import type { Store } from "../domain/store.ts";
import { goOn } from "./go-on.ts";

export interface SweeperDeps {
  store: Store;
  bells: Bells;
  clock: Clock;
  newId: NewId;
  log: Logger;
}

export class Sweeper {
  readonly #deps: SweeperDeps;
  readonly #lookout: Lookout;

  constructor(deps: SweeperDeps) {
    this.#deps = deps;
    const onFailure = (error: unknown): void =>
      deps.log.error({ err: error }, "what was too much for once could not be gone on with");
    this.#lookout = new Lookout({ ...deps, bell: sweepsBell, look: () => this.#look(), onFailure });
  }

  start(): void {
    this.#lookout.start();
  }

  async close(): Promise<void> {
    await this.#lookout.close();
  }

  /** Never answers anything, so that the lookout goes on. */
  async #look(): Promise<undefined> {
    const { store, clock, newId } = this.#deps;
    const sweep = await store.read((tx) => tx.sweeps.first());
    // What a power cut undoes of it is done again.
    if (sweep !== undefined) await store.note((tx) => goOn(tx, { now: clock.now(), newId }));
    this.#lookout.setAlarm(sweep === undefined ? Number.POSITIVE_INFINITY : clock.now());
    return undefined;
  }
}
