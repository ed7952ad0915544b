/**
 * Removes images and layers that nobody needs, and fetched files that nobody has used for long. What there is and what is held is found out here; which images are needed the
 * server says, for it knows the functions and the names; what-goes.ts decides.
 *
 * An image goes by its record: from then on it is not there, whatever is left of it. Its layers then go one by one, each only
 * if nobody holds it in that very moment. A worker that is killed in between leaves layers of no image, which go next time.
 */
import { type Clock, type Logger, PlatformError } from "@lydian/kit";

import type { Images } from "../builds/images.ts";
import type { ContentCache } from "../content.ts";
import type { BaseImages } from "../images/index.ts";
import { type LayerFacts, LayerInUseError, type LayerStore, recordHolder } from "../layers/index.ts";
import { type ImageUse, type Inventory, modestWish, type Selection, whatGoes, type Wish } from "./what-goes.ts";

export interface CollectorOptions {
  readonly images: Images;
  readonly bases: Pick<BaseImages, "records" | "forget">;
  readonly layers: LayerStore;
  readonly facts: Pick<LayerFacts, "sizes">;
  /** Files of mounts and contexts, which are fetched again when they are wanted again. */
  readonly content: Pick<ContentCache, "collect">;
  /** No layer that is removed makes room for containers: they lie on another disk than the content and what containers write. */
  readonly isElsewhere: boolean;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What the server knows of an image. */
export interface Known {
  /** Milliseconds since the epoch. */
  readonly usedAt: number;
  readonly isNeeded: boolean;
}

export interface CollectRequest extends Wish {
  /** All images that the server knows, by their ids; undefined: it was not asked, and all are needed. */
  readonly known: ReadonlyMap<string, Known> | undefined;
  /** Nothing is removed; the answer says what would be. */
  readonly isDry: boolean;
}

export interface Collected {
  /** Ids of images. */
  readonly images: readonly string[];
  /** Whole names. */
  readonly bases: readonly string[];
  readonly layers: readonly string[];
  /** What these took. */
  readonly bytes: number;
  /** Files of mounts and contexts, and what they took. */
  readonly content: { readonly files: number; readonly bytes: number };
  /** What all layers of this host take now. */
  readonly leftBytes: number;
}

/** Others who have to do with images. */
export interface Companions {
  /** By what the runtime calls them: warm containers that wait, which hold layers and keep no image. */
  starters(): ReadonlySet<string>;
  /** Ends those that wait with one of these images. */
  dropStarters(imageIds: ReadonlySet<string>): Promise<void>;
  /** Asks the server what may go, so that so much is freed; it answers by a collection. False when it is not there. */
  askServer(bytes: number): boolean;
}

/**
 * A base image takes a minute to be made or pulled, all platforms of the host share it, and which of them will ask for it
 * next none of them knows. So one that was asked for so lately stays, whatever the wish, unless it is named.
 */
const baseKeptMs = 86_400_000;

/** What the server may take to answer, and the removal that follows. */
const answerMs = 60_000;

interface Found extends ImageUse {
  readonly kind: "image" | "base";
  /** Its record, which holds its layers. */
  readonly file: string;
  /** Removes that. */
  readonly forget: () => Promise<void>;
}

/** Removes what a worker has of images that nobody needs. */
export interface ImageCollector {
  /** Rejects when an image is named that is not here. */
  collect(request: CollectRequest): Promise<Collected>;
  /** Absent: nobody else has to do with them. */
  accompany?(companions: Companions): void;
}

export class Collector implements ImageCollector {
  readonly #options: CollectorOptions;
  #companions: Companions | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #asked: PromiseWithResolvers<number> | undefined;

  constructor(options: CollectorOptions) {
    this.#options = options;
  }

  accompany(companions: Companions): void {
    this.#companions = companions;
  }

  /** One after the other. */
  async collect(request: CollectRequest): Promise<Collected> {
    const collecting = this.#turn.then(() => this.#collect(request));
    this.#turn = collecting.catch(() => {}); // told to who asked
    try {
      const collected = await collecting;
      if (request.known !== undefined && request.freeBytes > 0) this.#asked?.resolve(collected.bytes);
      return collected;
    } catch (error) {
      if (request.known !== undefined) this.#asked?.resolve(0);
      throw error;
    }
  }

  /** Before containers have to end for want of disk: frees so many bytes, if it can; answers how many. */
  async makeRoom(bytes: number): Promise<number> {
    const { isElsewhere, content, clock, logger } = this.#options;
    let freed = (await content.collect(clock.now())).bytes;
    if (freed < bytes && !isElsewhere) {
      const own = { ...modestWish, freeBytes: bytes - freed, known: undefined, isDry: false };
      freed += (await this.collect(own)).bytes;
    }
    if (
      freed < bytes &&
      !isElsewhere &&
      this.#asked === undefined &&
      this.#companions?.askServer(bytes - freed) === true
    ) {
      this.#asked = Promise.withResolvers();
      using _patience = clock.timer(answerMs, () => this.#asked?.resolve(0));
      freed += await this.#asked.promise;
      this.#asked = undefined;
    }
    if (freed > 0) logger.info({ bytes: freed }, "images that nobody needs made room on the disk");
    return freed;
  }

  async #collect(request: CollectRequest): Promise<Collected> {
    const { layers: store, content: files } = this.#options;
    const content = await files.collect(request.usedBefore, request.isDry);
    await store.releaseLost();
    const inventory = await this.#inventory(request.known);
    const all = inventory.layers.reduce((sum, { bytes }) => sum + bytes, 0);
    refuseUnknown(request.named, inventory);
    const selection = whatGoes(inventory, request);
    const gone = request.isDry ? selection : await this.#remove(selection);
    const names = (kind: Found["kind"]): string[] => {
      return [...new Set(gone.images.filter((image) => image.kind === kind).map(({ name }) => name))];
    };
    const layers = gone.layers.map(({ id }) => id);
    const { bytes } = gone;
    return { images: names("image"), bases: names("base"), layers, bytes, content, leftBytes: all - bytes };
  }

  async #inventory(known: CollectRequest["known"]): Promise<Inventory<Found>> {
    const { images, bases, layers: store, facts, clock } = this.#options;
    const found: Found[] = [];
    for (const { id, madeAt, ...image } of await images.list()) {
      const { usedAt = 0, isNeeded = known === undefined } = known?.get(id) ?? {};
      const use = { usedAt: Math.max(usedAt, madeAt), isNeeded };
      found.push({ name: id, kind: "image", ...image, ...use, forget: () => images.forget(id) });
    }
    for (const record of await bases.records()) {
      const { name, layers, file, usedAt, imported } = record;
      // What came from a file can be had from nowhere else.
      const isNeeded = known === undefined || imported || usedAt > clock.now() - baseKeptMs;
      found.push({ name, kind: "base", layers, file, usedAt, isNeeded, forget: () => bases.forget(record) });
    }
    const starters = this.#companions?.starters() ?? new Set();
    const own = new Set(found.map(({ file }) => recordHolder(file)));
    const isOther = (holder: string): boolean => !own.has(holder) && !starters.has(afterDot(holder));
    const holders = await store.holders();
    const present = (await store.list()).filter(({ id }) => holders.has(id));
    const sizes = await facts.sizes(present);
    const layers = [];
    for (const { id } of present) {
      const usedAt = (await store.usedAt(id)) ?? 0;
      layers.push({ id, bytes: sizes.get(id) ?? 0, usedAt, isHeld: holders.get(id)?.some(isOther) === true });
    }
    return { images: found, layers };
  }

  /** Answers what did go: somebody may have taken some of it since it was looked at. */
  async #remove(selection: Selection<Found>): Promise<Selection<Found>> {
    const { images: known, layers: store, logger } = this.#options;
    const images = selection.images.filter(({ kind, name }) => kind === "base" || !known.isPinned(name));
    await Promise.all(images.map(({ forget }) => forget()));
    await this.#companions?.dropStarters(new Set(images.map(({ name }) => name)));
    const layers = [];
    for (const layer of selection.layers) {
      try {
        await store.remove(layer.id);
        layers.push(layer);
      } catch (error) {
        if (!(error instanceof LayerInUseError)) throw error;
        logger.debug({ layer: layer.id }, error.message);
      }
    }
    const bytes = layers.reduce((sum, layer) => sum + layer.bytes, 0);
    return { images, layers, bytes };
  }
}

/** A platform's holders are its own short name, a dot, and whom it holds for. */
function afterDot(holder: string): string {
  return holder.slice(holder.indexOf(".") + 1);
}

export function refuseUnknown(named: ReadonlySet<string>, { images }: Inventory): void {
  const unknown = [...named].filter((name) => !images.some((image) => image.name === name));
  if (unknown.length === 0) return;
  throw new PlatformError(`there is no image ${unknown.join(", ")} on this worker`, {
    hint: "an image is named by its id, im-…; a base image as `lydian image list` shows it",
  });
}
