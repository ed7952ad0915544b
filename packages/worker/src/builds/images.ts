/**
 * The images that this worker has, by their ids: of which layers, and how their programs are run.
 *
 * Each is a record, written when all its layers are there, and each of its layers is held as long as the record names it.
 */
import { mkdir, readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";

import { hasCode, PlatformError, writeDurably } from "@lydian/kit";
import { z } from "zod";

import { imageConfigSchema } from "../images/index.ts";
import type { Layer, LayerStore } from "../layers/index.ts";
import type { RootImage } from "../runtime/runtime.ts";
import { Pins } from "./pins.ts";

export interface BuiltImage extends RootImage {
  /** What it is, for the keys of steps that stand on it. */
  readonly digest: string;
  readonly facts: ImageFacts;
}

/** A record of an image. */
export interface KeptImage {
  readonly id: string;
  readonly file: string;
  /** Milliseconds since the epoch. */
  readonly madeAt: number;
  /** Ids, topmost first. */
  readonly layers: readonly string[];
}

/** What clients are told of an image. */
export interface ImageFacts {
  /** The whole version of its Python, such as "3.12.4"; empty when it has none. */
  readonly python: string;
  /** Such as "glibc 2.36"; empty when that cannot be told. */
  readonly libc: string;
  /** What tells this interpreter from another one. */
  readonly mark: string;
}

const recordSchema = z.object({
  layers: z.array(z.string()).min(1),
  config: imageConfigSchema,
  digest: z.string(),
  facts: z.object({ python: z.string(), libc: z.string(), mark: z.string() }),
});

/** What the worker knows of the images that it has, whatever they are made of. */
export interface KnownImages {
  readonly ids: readonly string[];
  /** Is told of each image that is gone, or was asked for in vain. */
  onGone(listener: (id: string) => void): void;
  /** The image is not to be collected, from before it is there where need be, until that is disposed of. */
  pin(id: string): Disposable;
  find(id: string): Promise<RootImage | undefined>;
  forget(id: string): Promise<void>;
}

/** Of an image that was made: what clients are told of it. */
export type Outcome = Pick<BuiltImage, "config" | "facts">;

export class Images implements KnownImages {
  readonly #folder: string;
  readonly #layers: LayerStore;
  readonly #known: Map<string, BuiltImage>;
  readonly #pins = new Pins();
  #onGone: (id: string) => void = () => {};

  private constructor(folder: string, layers: LayerStore, known: Map<string, BuiltImage>) {
    this.#folder = folder;
    this.#layers = layers;
    this.#known = known;
  }

  /** An image of which a layer is gone is forgotten. */
  static async open(folder: string, layers: LayerStore): Promise<Images> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const known = new Map<string, BuiltImage>();
    for (const name of await readdir(folder)) {
      const file = join(folder, name);
      const [, id] = /^(im-[A-Za-z0-9]+)\.json$/.exec(name) ?? []; // else it was being written
      const image = id === undefined ? undefined : await readImage(file, layers);
      // The worker that wrote it down may have been killed before it held the layers.
      const isWhole = image !== undefined && (await layers.holdFor(file, image.layers));
      if (isWhole && id !== undefined) known.set(id, image);
      else await rm(file, { force: true });
    }
    return new Images(folder, layers, known);
  }

  get ids(): readonly string[] {
    return [...this.#known.keys()];
  }

  /** Is told of each image that is gone, or was asked for in vain. */
  onGone(listener: (id: string) => void): void {
    this.#onGone = listener;
  }

  /** The image is not to be collected, from before it is there where need be, until that is disposed of. */
  pin(id: string): Disposable {
    return this.#pins.pin(id);
  }

  isPinned(id: string): boolean {
    return this.#pins.has(id);
  }

  /** What is known of each, and when it was made; milliseconds since the epoch. */
  async list(): Promise<readonly KeptImage[]> {
    const entries = [...this.#known].map(async ([id, { layers }]) => {
      const file = this.#file(id);
      return { id, file, madeAt: await timeOf(file), layers: layers.map((layer) => layer.id) };
    });
    return await Promise.all(entries);
  }

  /** Undefined also for one of which a layer has been removed meanwhile. */
  async find(id: string): Promise<BuiltImage | undefined> {
    const image = this.#known.get(id);
    if (image === undefined) return undefined;
    const layers = await layersOf(
      image.layers.map((layer) => layer.id),
      this.#layers,
    );
    if (layers === undefined) await this.forget(id);
    return layers && image;
  }

  /** On disk when it resolves. */
  async keep(id: string, image: BuiltImage): Promise<void> {
    const { layers, config, digest, facts } = image;
    const record: z.input<typeof recordSchema> = {
      layers: layers.map((layer) => layer.id),
      config: { ...config },
      digest,
      facts: { ...facts },
    };
    const file = this.#file(id);
    await writeDurably(file, JSON.stringify(record)); // first: until then somebody's lease holds the layers
    if (!(await this.#layers.holdFor(file, image.layers))) throw new Error(`layers of ${id} went while they were held`);
    this.#known.set(id, image);
  }

  /** Its layers stay as long as somebody else holds them. Twice does no harm. */
  async forget(id: string): Promise<void> {
    const layers = this.#known.get(id)?.layers ?? [];
    this.#known.delete(id);
    this.#onGone(id);
    const file = this.#file(id);
    await rm(file, { force: true });
    await this.#layers.releaseFor(
      file,
      layers.map((layer) => layer.id),
    );
  }

  #file(id: string): string {
    if (!/^im-[A-Za-z0-9]+$/.test(id)) throw new PlatformError(`${JSON.stringify(id)} is no image's id`);
    return join(this.#folder, `${id}.json`);
  }
}

async function readImage(file: string, store: LayerStore): Promise<BuiltImage | undefined> {
  try {
    const { layers: ids, ...image } = recordSchema.parse(JSON.parse(await readFile(file, "utf8")));
    const layers = await layersOf(ids, store);
    return layers && { ...image, layers };
  } catch (error) {
    // One that cannot be read is as good as none: the image is made again.
    if (hasCode(error, "ENOENT") || error instanceof SyntaxError || error instanceof z.ZodError) return undefined;
    throw error;
  }
}

/** Of a record that went meanwhile: 0. */
async function timeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).mtimeMs;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return 0;
    throw error;
  }
}

async function layersOf(ids: readonly string[], store: LayerStore): Promise<readonly Layer[] | undefined> {
  const layers = await Promise.all(ids.map((id) => store.get(id)));
  const present = layers.filter((layer) => layer !== undefined);
  return present.length === ids.length ? present : undefined;
}
