/**
 * What was found to be needed by nothing (content by its digest, blobs and mounts by their ids), and since when: in the store,
 * and in memory. Whoever is told that something is there may refer to it later, so it is struck off here before; on disk, so
 * that it holds over any death.
 */
import type { Store, Tx } from "../domain/store.ts";

export class Unneeded {
  readonly #store: Store;
  readonly #since: Map<string, number>;
  /** Somebody is about to be told that it is there. */
  readonly #wanted = new Map<string, Promise<void>>();
  readonly #going = new Map<string, Promise<void>>();

  private constructor(store: Store, since: Map<string, number>) {
    this.#store = store;
    this.#since = since;
  }

  static async load(store: Store): Promise<Unneeded> {
    const all = await store.read((tx) => tx.unneeded.all());
    return new Unneeded(store, new Map(all.map(({ id, since }) => [id, since])));
  }

  /** Milliseconds since the epoch; undefined for what may be needed. */
  since(id: string): number | undefined {
    return this.#since.get(id);
  }

  /** To be awaited before anybody is told that it is there; what is being removed just now is gone then. */
  async want(id: string): Promise<void> {
    await this.#going.get(id);
    if (!this.#since.has(id)) return;
    const wanted = this.#wanted.get(id) ?? this.#strike(id);
    this.#wanted.set(id, wanted);
    await wanted;
  }

  /** The same within the unit of work that finds or makes it; for what is a row. */
  async wantRow(tx: Tx, id: string): Promise<void> {
    if (!this.#since.delete(id)) return;
    await tx.unneeded.remove([id]);
  }

  /** From now on, unless it was so before. */
  async note(ids: readonly string[], now: number): Promise<void> {
    if (ids.length === 0) return;
    await this.#store.write((tx) => tx.unneeded.add(ids, now));
    for (const id of ids) this.#since.set(id, now);
  }

  /** They are needed after all. */
  async strike(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    await this.#store.write((tx) => tx.unneeded.remove(ids));
    for (const id of ids) this.#since.delete(id);
  }

  /**
   * Removes those of these that nobody has wanted meanwhile; answers which. What a death leaves over is found to be
   * unneeded once more.
   */
  async removeContent(ids: readonly string[], remove: (id: string) => Promise<void>): Promise<string[]> {
    const chosen = ids.filter((id) => this.#since.has(id) && !this.#wanted.has(id));
    if (chosen.length === 0) return [];
    const gone = Promise.withResolvers<void>();
    for (const id of chosen) {
      this.#since.delete(id);
      this.#going.set(id, gone.promise);
    }
    try {
      // Before: else whoever stores the same again, and dies, would have it noted from long ago.
      await this.#store.write((tx) => tx.unneeded.remove(chosen));
      await Promise.all(chosen.map(remove));
      return chosen;
    } finally {
      for (const id of chosen) this.#going.delete(id);
      gone.resolve();
    }
  }

  /** The same for what is a row: all in one unit of work. */
  async removeRows(ids: readonly string[], remove: (tx: Tx, id: string) => Promise<void>): Promise<string[]> {
    if (ids.length === 0) return [];
    const removed = await this.#store.write(async (tx) => {
      const chosen = ids.filter((id) => this.#since.has(id));
      for (const id of chosen) await remove(tx, id);
      await tx.unneeded.remove(chosen);
      return chosen;
    });
    for (const id of removed) this.#since.delete(id);
    return removed;
  }

  async #strike(id: string): Promise<void> {
    try {
      await this.strike([id]);
    } finally {
      this.#wanted.delete(id);
    }
  }
}
