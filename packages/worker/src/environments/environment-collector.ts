/**
 * Removes environments that nobody needs, as collect/ does images of containers. An environment is its image alone: it shares
 * nothing with others, so to the decision it is an image with one layer of its own.
 */
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";

import { hasCode } from "@lydian/kit";

import { type Collected, type CollectRequest, type ImageCollector, refuseUnknown } from "../collect/collector.ts";
import { type Inventory, whatGoes } from "../collect/what-goes.ts";
import type { ContentCache } from "../content.ts";
import type { Environments } from "./environments.ts";

export interface EnvironmentCollectorOptions {
  readonly environments: Pick<Environments, "list" | "forget" | "isPinned">;
  readonly content: Pick<ContentCache, "collect">;
  /** Those of containers that there are. */
  readonly inUse: () => Promise<ReadonlySet<string>>;
}

export class EnvironmentCollector implements ImageCollector {
  readonly #options: EnvironmentCollectorOptions;
  /** Bytes by id: what is made once does not change. */
  readonly #sizes = new Map<string, number>();
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: EnvironmentCollectorOptions) {
    this.#options = options;
  }

  /** One after the other. */
  async collect(request: CollectRequest): Promise<Collected> {
    const collecting = this.#turn.then(() => this.#collect(request));
    this.#turn = collecting.catch(() => {}); // told to who asked
    return await collecting;
  }

  async #collect(request: CollectRequest): Promise<Collected> {
    const { environments, content: files } = this.#options;
    const content = await files.collect(request.usedBefore, request.isDry);
    const inventory = await this.#inventory(request.known);
    refuseUnknown(request.named, inventory);
    const selection = whatGoes(inventory, request);
    const used = await this.#options.inUse();
    const gone: string[] = [];
    for (const { name } of selection.images) {
      // Whoever has pinned it is about to begin a container with it.
      if (used.has(name) || environments.isPinned(name)) continue;
      if (!request.isDry) await environments.forget(name);
      gone.push(name);
    }
    const bytes = this.#sizeOfAll(gone);
    const all = this.#sizeOfAll(inventory.images.map(({ name }) => name));
    if (!request.isDry) for (const id of gone) this.#sizes.delete(id);
    return { images: gone, bases: [], layers: [], bytes, content, leftBytes: all - bytes };
  }

  async #inventory(known: CollectRequest["known"]): Promise<Inventory> {
    const images = [];
    const layers = [];
    for (const { id, folder, madeAt } of await this.#options.environments.list()) {
      const { usedAt = 0, isNeeded = known === undefined } = known?.get(id) ?? {};
      images.push({ name: id, layers: [id], usedAt: Math.max(usedAt, madeAt), isNeeded });
      const bytes = this.#sizes.get(id) ?? (await bytesOf(folder));
      this.#sizes.set(id, bytes);
      layers.push({ id, bytes, usedAt: madeAt, isHeld: false });
    }
    return { images, layers };
  }

  #sizeOfAll(ids: readonly string[]): number {
    return ids.reduce((sum, id) => sum + (this.#sizes.get(id) ?? 0), 0);
  }
}

/** What it takes on the disk; without what goes meanwhile. */
async function bytesOf(path: string): Promise<number> {
  try {
    const stats = await lstat(path);
    let bytes = stats.blocks * 512;
    if (stats.isDirectory()) for (const name of await readdir(path)) bytes += await bytesOf(join(path, name));
    return bytes;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return 0;
    throw error;
  }
}
