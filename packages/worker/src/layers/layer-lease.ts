/** What one piece of work holds: layers that it takes stay until it is disposed of, or its process has ended. */
import { randomBytes } from "node:crypto";

import type { Fill, Layer, LayerStore } from "./layer-store.ts";

export class LayerLease implements AsyncDisposable {
  readonly #store: LayerStore;
  readonly #holder = `work-${randomBytes(9).toString("hex")}`;
  readonly #held = new Map<string, Layer>();

  constructor(store: LayerStore) {
    this.#store = store;
  }

  /** False when one of them is gone, to be made again. */
  async hold(layers: readonly Layer[]): Promise<boolean> {
    if (!(await this.#store.hold(this.#holder, layers, "process"))) return false;
    for (const layer of layers) this.#held.set(layer.id, layer);
    return true;
  }

  /** As the store does, and holds it. */
  async make(id: string, fill: Fill, signal?: AbortSignal): Promise<Layer> {
    for (;;) {
      const layer = await this.#store.make(id, fill, signal);
      if (await this.hold([layer])) return layer;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store.release(this.#holder, [...this.#held.values()]);
  }
}
