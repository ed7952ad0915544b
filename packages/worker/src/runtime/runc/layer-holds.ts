/** Which layers containers of this platform hold. Other platforms may have the same store. */
import type { Layer, LayerStore } from "../../layers/index.ts";

export class LayerHolds {
  readonly #layers: LayerStore;
  readonly #instance: string;

  constructor(layers: LayerStore, instance: string) {
    this.#layers = layers;
    this.#instance = instance;
  }

  /** False when one of them has been removed; then none is held. */
  async hold(id: string, layers: readonly Layer[]): Promise<boolean> {
    return await this.#layers.hold(this.#holder(id), layers);
  }

  async release(id: string, layers: readonly Layer[]): Promise<void> {
    await this.#layers.release(this.#holder(id), layers);
  }

  /** Releases what is held for containers of this platform that are not among these. */
  async releaseOthers(known: ReadonlySet<string>): Promise<void> {
    const holders = new Set([...known].map((id) => this.#holder(id)));
    for (const [id, names] of await this.#layers.holders()) {
      const layer = await this.#layers.get(id);
      const lost = names.filter((name) => name.startsWith(this.#holder("")) && !holders.has(name));
      if (layer !== undefined) for (const name of lost) await this.#layers.release(name, [layer]);
    }
  }

  #holder(id: string): string {
    return `${this.#instance}.${id}`;
  }
}
