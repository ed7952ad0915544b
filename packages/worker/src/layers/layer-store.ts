/**
 * Layers by id: directories that are made once, are whole or absent, and stay while somebody holds them.
 *
 *     FOLDER/ID/diff          the layer
 *     FOLDER/ID/holders/NAME  who holds it, and for how long (layer-holders.ts). A layer whose `holders` is gone is being
 *                             removed: removing that folder, which the kernel does only when it is empty, is the one step
 *                             that decides between a holder and a remover
 *     FOLDER/.drafts/ID       one that is being made, by whoever has .locks/ID
 *     FOLDER/.gone            what is being deleted
 *     FOLDER/.holds           files of holders that are being written
 *
 * Several processes may share a store. Nothing of a layer is synced but once, as a whole, before it gets its name.
 */
import { chmod, mkdir, readdir, rename, rmdir, stat } from "node:fs/promises";
import { join } from "node:path";

import {
  type Clock,
  hasCode,
  PlatformError,
  removeBelow,
  sleep,
  syncFolder,
  systemClock,
  temporaryBeside,
  tryLock,
} from "@lydian/kit";

import { unlessAborted } from "../shared-work.ts";
import { sealDiff, syncFileSystem } from "./layer-diff.ts";
import { type HoldTerm, LayerHolders, plainName, recordHolder } from "./layer-holders.ts";
import { LayerLease } from "./layer-lease.ts";
import { detachAll } from "./mount-table.ts";

/** A directory as overlayfs takes it for a lower layer. */
export interface Layer {
  readonly id: string;
  /** Never changed again. */
  readonly diff: string;
}

/**
 * Fills an empty folder with what the layer is to contain. `scratch` is an empty folder on the same disk that is deleted
 * afterwards. To keep what a container wrote, mount a root with `work: scratch`, and when it is unmounted rename
 * `scratch/u` to `diff`.
 */
export type Fill = (diff: string, scratch: string) => Promise<void>;

export class LayerInUseError extends PlatformError {}

interface Making {
  readonly done: Promise<Layer>;
  readonly signal: AbortSignal | undefined;
}

/** While another process makes the layer: how often to look whether it has, and for how long. */
const lookMs = 100;
const othersMs = 30 * 60_000;

export class LayerStore {
  readonly folder: string;
  readonly #clock: Clock;
  readonly #making = new Map<string, Making>();
  readonly #held: LayerHolders;
  #onMade: (layer: Layer) => void = () => {};

  private constructor(folder: string, clock: Clock) {
    this.folder = folder;
    this.#clock = clock;
    this.#held = new LayerHolders((id) => this.#holders(id), this.#holds, clock);
  }

  /** The folder lies on the disk of the containers' uppers. Removes what a crash has left half made or half deleted. */
  static async open(folder: string, options: { clock?: Clock } = {}): Promise<LayerStore> {
    const store = new LayerStore(folder, options.clock ?? systemClock);
    for (const part of [folder, store.#drafts, store.#locks, store.#gone, store.#holds]) {
      await mkdir(part, { recursive: true, mode: 0o700 });
    }
    await store.tidy();
    return store;
  }

  /** As it is: nothing is made or removed. Undefined when there is none in the folder. */
  static async look(folder: string): Promise<LayerStore | undefined> {
    return (await isFolder(folder)) ? new LayerStore(folder, systemClock) : undefined;
  }

  async get(id: string): Promise<Layer | undefined> {
    const layer = this.#layer(id);
    return (await isFolder(this.#holders(layer.id))) ? layer : undefined;
  }

  async list(): Promise<readonly Layer[]> {
    const layers = await Promise.all((await this.#names()).map((name) => this.get(name)));
    return layers.filter((layer) => layer !== undefined);
  }

  /**
   * The layer of this id, made by `fill` when it is not there; of those who want it at once, here and in other processes,
   * one makes it. A caller whose own `fill` runs waits for its end also when its signal aborts: `fill` minds the signal.
   */
  async make(id: string, fill: Fill, signal?: AbortSignal): Promise<Layer> {
    for (;;) {
      signal?.throwIfAborted();
      const present = await this.get(id);
      if (present !== undefined) return present;
      const running = this.#making.get(id);
      if (running === undefined) return this.#begin(id, fill, signal);
      try {
        return await (signal === undefined ? running.done : unlessAborted(running.done, signal));
      } catch (error) {
        // Who made it has given up, and that is no reason for this one to.
        if (running.signal?.aborted !== true || signal?.aborted === true) throw error;
      }
    }
  }

  /**
   * Keeps the layers from being removed, as long as the term says; survives this process, for `holder` to be released by
   * the next. False when one of them is gone, to be made again: then none is held that was not before.
   */
  async hold(holder: string, layers: readonly Layer[], term: HoldTerm = "boot"): Promise<boolean> {
    return await this.#held.add(holder, idsOf(layers), term);
  }

  /** Twice does no harm. */
  async release(holder: string, layers: readonly Layer[]): Promise<void> {
    await this.#held.release(holder, idsOf(layers));
  }

  /** As long as this file names them; to be called when it has been written. */
  async holdFor(record: string, layers: readonly Layer[]): Promise<boolean> {
    return await this.hold(recordHolder(record), layers, { record });
  }

  /** To be called when the file is gone. */
  async releaseFor(record: string, layerIds: readonly string[]): Promise<void> {
    await this.#held.release(recordHolder(record), layerIds);
  }

  /** Is told of each layer that this process has made. */
  onMade(listener: (layer: Layer) => void): void {
    this.#onMade = listener;
  }

  /** Holds for one piece of work of this process. */
  lease(): LayerLease {
    return new LayerLease(this);
  }

  /** Who holds what: every layer by its id, with its holders. */
  async holders(): Promise<ReadonlyMap<string, readonly string[]>> {
    const found = new Map<string, readonly string[]>();
    for (const id of await this.#names()) {
      const names = await this.#held.of(id);
      if (names !== undefined) found.set(id, names);
    }
    return found;
  }

  /** The records that name a layer, by the holds that they have on it. */
  async recordsOf(id: string): Promise<readonly string[]> {
    return await this.#held.recordsOf(plainName(id));
  }

  /** When a layer was last taken, left, or made; undefined when it is gone. Milliseconds since the epoch. */
  async usedAt(id: string): Promise<number | undefined> {
    return await this.#held.changedAt(plainName(id));
  }

  /** Nothing happens when it is not there; rejects with a LayerInUseError while somebody holds it. */
  async remove(id: string): Promise<void> {
    try {
      await rmdir(this.#holders(plainName(id)));
    } catch (error) {
      if (hasCode(error, "ENOENT")) return;
      if (!hasCode(error, "ENOTEMPTY", "EEXIST")) throw error;
      const names = await readdir(this.#holders(id));
      throw new LayerInUseError(`layer ${id} is held by ${names.join(", ")}`, { cause: error });
    }
    await this.#discard(join(this.folder, id));
  }

  /** Takes away the holds that outlived what they were for. */
  async releaseLost(): Promise<void> {
    await this.#held.releaseLost(await this.#names());
  }

  get #drafts(): string {
    return join(this.folder, ".drafts");
  }

  get #locks(): string {
    return join(this.folder, ".locks");
  }

  get #gone(): string {
    return join(this.folder, ".gone");
  }

  get #holds(): string {
    return join(this.folder, ".holds");
  }

  #holders(id: string): string {
    return join(this.folder, id, "holders");
  }

  #layer(id: string): Layer {
    return { id: plainName(id), diff: join(this.folder, id, "diff") };
  }

  async #names(): Promise<string[]> {
    return (await readdir(this.folder)).filter((name) => !name.startsWith("."));
  }

  #begin(id: string, fill: Fill, signal: AbortSignal | undefined): Promise<Layer> {
    const done = this.#makeAlone(id, fill, signal).finally(() => this.#making.delete(id));
    this.#making.set(id, { done, signal });
    return done;
  }

  async #makeAlone(id: string, fill: Fill, signal: AbortSignal | undefined): Promise<Layer> {
    using _lock = await this.#lock(id, signal);
    const present = await this.get(id); // another process may have made it meanwhile
    if (present !== undefined) return present;
    const draft = join(this.#drafts, id);
    await this.#delete(this.#drafts, draft);
    const [diff, scratch] = [join(draft, "diff"), join(draft, "scratch")];
    try {
      await mkdir(draft, { mode: 0o700 });
      await mkdir(scratch, { mode: 0o700 });
      await mkdir(join(draft, "holders"), { mode: 0o700 });
      await makeOpenFolder(diff);
      await fill(diff, scratch);
      signal?.throwIfAborted();
      await this.#delete(draft, scratch);
      sealDiff(diff);
      await syncFileSystem(diff);
      await this.#discard(join(this.folder, id)); // what a remover has not come to
      await rename(draft, join(this.folder, id));
    } catch (error) {
      await this.#delete(this.#drafts, draft);
      throw error;
    }
    await syncFolder(this.folder);
    this.#onMade(this.#layer(id));
    return this.#layer(id);
  }

  async #lock(id: string, signal: AbortSignal | undefined): Promise<Disposable> {
    const file = join(this.#locks, id);
    const deadline = this.#clock.now() + othersMs;
    for (;;) {
      const lock = tryLock(file);
      if (lock !== undefined) return lock;
      if (this.#clock.now() >= deadline) throw new PlatformError(`another process does not finish layer ${id}`);
      await sleep(this.#clock, lookMs, signal); // the kernel tells nobody when a file lock is free
    }
  }

  /** Out of the way at once, then deleted; a layer that is not there is no fault. */
  async #discard(layer: string): Promise<void> {
    const rest = temporaryBeside(join(this.#gone, "layer"));
    try {
      await rename(layer, rest);
    } catch (error) {
      if (hasCode(error, "ENOENT")) return;
      throw error;
    }
    await this.#delete(this.#gone, rest);
  }

  /** A crash may leave mounts in a draft, and deleting must not go through them into what they show. */
  async #delete(folder: string, path: string): Promise<void> {
    detachAll(path, true);
    await removeBelow(folder, path);
  }

  /** Removes what a crash has left half made or half deleted, and the holds that outlived what they were for. */
  async tidy(): Promise<void> {
    for (const name of await readdir(this.#drafts)) {
      using lock = tryLock(join(this.#locks, name));
      if (lock !== undefined) await this.#deleteDraft(join(this.#drafts, name));
    }
    for (const name of await readdir(this.#gone)) await this.#delete(this.#gone, join(this.#gone, name));
    for (const name of await this.#names()) {
      if (!(await isFolder(this.#holders(name)))) await this.#discard(join(this.folder, name));
    }
    await this.#held.tidy();
    await this.releaseLost();
  }

  /** A container of a build whose worker was killed may still write into it: then it goes when that is ended. */
  async #deleteDraft(draft: string): Promise<void> {
    try {
      await this.#delete(this.#drafts, draft);
    } catch (error) {
      if (!hasCode(error, "ENOTEMPTY")) throw error;
    }
  }
}

const idsOf = (layers: readonly Layer[]): string[] => layers.map(({ id }) => id);

/** With the mode of a root directory, whatever the umask is. */
async function makeOpenFolder(folder: string): Promise<void> {
  await mkdir(folder);
  await chmod(folder, 0o755);
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (hasCode(error, "ENOENT")) return false;
    throw error;
  }
}
