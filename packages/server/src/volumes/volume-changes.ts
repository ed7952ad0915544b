/**
 * Makes changes of volumes, for each volume one at a time. A large one is written in portions, so that nobody else waits for
 * the store: its entries are those of a commit after the newest one, which nobody reads before the last portion makes it the
 * newest. What a death or a refusal leaves of it is taken back before the volume's next change.
 */
import { type Bells, type Clock, Turns } from "@lydian/kit";

import type { Store, Tx } from "../domain/store.ts";
import type { Volume } from "../domain/volume.ts";
import { type InUnit, readsOf } from "./changes.ts";
import { type Change, Commit, type CommitLimits } from "./commit.ts";
import { knownVolume } from "./known.ts";
import { settled } from "./owed.ts";

/** Steps in one unit of work: about 15 ms of processor time. */
const portion = 500;

export interface VolumeChangesDeps {
  readonly store: Store;
  readonly bells: Bells;
  readonly clock: Clock;
  readonly limits: CommitLimits;
}

export interface WantedChange<T> {
  readonly volumeId: string;
  /** Of the commit, where it has one: what is owed by it need not be waited for. */
  readonly key?: string | undefined;
  readonly signal?: AbortSignal;
  /** Whether `finish` has been done before, and only answers again. */
  readonly isKnown: (tx: Tx) => Promise<boolean>;
  /** What is to be done to the volume as it is; the reads may be many. */
  readonly find: (volume: Volume, inUnit: InUnit) => Promise<Change>;
  /** Runs the last unit, which answers the number of the commit; undefined: it has changed nothing. */
  readonly finish: (unit: (tx: Tx) => Promise<number | undefined>) => Promise<T>;
}

export class VolumeChanges {
  readonly #deps: VolumeChangesDeps;
  readonly #turns = new Turns();

  constructor(deps: VolumeChangesDeps) {
    this.#deps = deps;
  }

  make<T>(wanted: WantedChange<T>): Promise<T> {
    return this.whenSettled(wanted.volumeId, wanted, () => this.#make(wanted));
  }

  /** While nobody changes the volume, and nothing is owed to it but by this key. */
  async whenSettled<T>(
    volumeId: string,
    waiting: { readonly key?: string | undefined; readonly signal?: AbortSignal },
    act: () => Promise<T>,
  ): Promise<T> {
    const { store } = this.#deps;
    for (;;) {
      await settled(this.#deps, volumeId, waiting);
      const done = await this.#turns.take(volumeId, async () => {
        const owed = await store.read((tx) => tx.volumes.owedOf(volumeId));
        return owed === undefined || owed === waiting.key ? { value: await act() } : undefined;
      });
      if (done !== undefined) return done.value;
    }
  }

  async #make<T>({ volumeId, isKnown, find, finish }: WantedChange<T>): Promise<T> {
    const { store, clock, limits } = this.#deps;
    if (await store.read(isKnown)) return await finish(() => Promise.reject(new Error("it was made before")));
    const volume = await store.read((tx) => knownVolume(tx, volumeId));
    await this.#takeBack(volume);
    const commit = new Commit(volume, await find(volume, readsOf(store)), limits, clock.now());
    if (commit.size <= portion) return await finish((tx) => commit.finish(tx));
    try {
      // Not on disk before the last unit is, which takes them along.
      const go = async (tx: Tx): Promise<boolean> => {
        await knownVolume(tx, volumeId);
        return await commit.go(tx, portion);
      };
      while (await store.note(go));
      return await finish((tx) => commit.finish(tx));
    } catch (error) {
      await this.#takeBack(volume);
      throw error;
    }
  }

  async #takeBack({ id, head }: Volume): Promise<void> {
    const { store } = this.#deps;
    if (!(await store.read((tx) => tx.volumes.isAhead(id, head)))) return;
    while ((await store.note((tx) => tx.volumes.takeBack(id, head, portion))) > 0);
  }
}
