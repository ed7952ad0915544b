/** The images that this worker has, by their ids: of which layers, and how their programs are run. */
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";

import { hasCode, PlatformError, writeDurably } from "@lydian/kit";
import { z } from "zod";

import { imageConfigSchema } from "../images/index.ts";
import type { Layer, LayerStore } from "../layers/index.ts";
import type { RootImage } from "../runtime/runtime.ts";

export interface BuiltImage extends RootImage {
  /** What it is, for the keys of steps that stand on it. */
  readonly digest: string;
  readonly facts: ImageFacts;
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

export class Images {
  readonly #folder: string;
  readonly #layers: LayerStore;
  readonly #known: Map<string, BuiltImage>;

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
      const image = await readImage(join(folder, name), layers);
      if (image === undefined) await rm(join(folder, name), { force: true });
      else known.set(name.replace(/\.json$/, ""), image);
    }
    return new Images(folder, layers, known);
  }

  get ids(): readonly string[] {
    return [...this.#known.keys()];
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
    await writeDurably(this.#file(id), JSON.stringify(record));
    this.#known.set(id, image);
  }

  async forget(id: string): Promise<void> {
    this.#known.delete(id);
    await rm(this.#file(id), { force: true });
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

async function layersOf(ids: readonly string[], store: LayerStore): Promise<readonly Layer[] | undefined> {
  const layers = await Promise.all(ids.map((id) => store.get(id)));
  const present = layers.filter((layer) => layer !== undefined);
  return present.length === ids.length ? present : undefined;
}
