/**
 * What each layer contained when it was made, as a digest, and what it takes of the disk: FOLDER/ID/facts.json.
 *
 * Found out after a layer is made, beside whatever else the worker does: reading a layer of 150 MB takes 0.4 s, which would
 * be most of a short step's time, and it would be for nothing until somebody checks the disk. Layers that a killed worker
 * had not come to are read by the next.
 */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { hasCode, type Logger, writeDurably } from "@lydian/kit";
import { z } from "zod";

import type { Layer, LayerStore } from "./layer-store.ts";
import type { TreeFacts } from "./tree-facts.ts";
import { TreeReader } from "./tree-reader.ts";

const factsSchema = z.object({ bytes: z.number(), digest: z.string() });

export class LayerFacts {
  readonly #layers: LayerStore;
  readonly #logger: Logger;
  readonly #reader = new TreeReader();
  #work: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor({ layers, logger }: { layers: LayerStore; logger: Logger }) {
    this.#layers = layers;
    this.#logger = logger;
  }

  /** Reads the layers that nobody has read, and from then on each that is made. */
  async start(): Promise<void> {
    this.#layers.onMade((layer) => this.#readLater(layer));
    for (const layer of await this.#layers.list()) {
      if ((await readFacts(layer)) === undefined) this.#readLater(layer);
    }
  }

  /** What each takes on the disk, in bytes; those that are gone are left out. */
  async sizes(layers: readonly Layer[]): Promise<ReadonlyMap<string, number>> {
    const sizes = new Map<string, number>();
    const unread: Layer[] = [];
    for (const layer of layers) {
      const facts = await readFacts(layer);
      if (facts === undefined) unread.push(layer);
      else sizes.set(layer.id, facts.bytes);
    }
    for (let from = 0; from < unread.length; from += countedAtOnce) {
      await countInto(sizes, unread.slice(from, from + countedAtOnce));
    }
    return sizes;
  }

  /** What was not read is read by the next worker. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#reader[Symbol.asyncDispose]();
    await this.#work;
  }

  #readLater(layer: Layer): void {
    this.#work = this.#work.then(() => this.#read(layer));
  }

  async #read(layer: Layer): Promise<void> {
    if (this.#isClosed) return;
    try {
      const facts = await this.#reader.read(layer.diff);
      if ((await this.#layers.get(layer.id)) !== undefined) await writeDurably(factsFile(layer), JSON.stringify(facts));
    } catch (error) {
      const isGone = this.#isClosed || (await this.#layers.get(layer.id)) === undefined;
      if (!isGone)
        this.#logger.warn({ err: error, layer: layer.id }, "a layer could not be read; it cannot be checked");
    }
  }
}

/** Undefined when nobody has found out yet. */
export async function readFacts(layer: Layer): Promise<TreeFacts | undefined> {
  try {
    return factsSchema.parse(JSON.parse(await readFile(factsFile(layer), "utf8")));
  } catch (error) {
    if (hasCode(error, "ENOENT") || error instanceof SyntaxError || error instanceof z.ZodError) return undefined;
    throw error;
  }
}

function factsFile({ diff }: Layer): string {
  return join(diff, "..", "facts.json");
}

/** Millions of files on a slow disk; then it is given up. */
const countMs = 300_000;

/** Their names must fit into a command line. */
const countedAtOnce = 500;

async function countInto(sizes: Map<string, number>, layers: readonly Layer[]): Promise<void> {
  const byDiff = new Map(layers.map(({ id, diff }) => [diff, id]));
  for (const line of (await linesOfDu([...byDiff.keys()])).slice(0, -1)) {
    const [, bytes = "", diff = ""] = /^(\d+)\t(.*)$/s.exec(line) ?? [];
    const id = byDiff.get(diff);
    if (id !== undefined) sizes.set(id, Number(bytes));
  }
}

async function linesOfDu(folders: readonly string[]): Promise<string[]> {
  try {
    const { stdout } = await promisify(execFile)("du", ["-s", "--block-size=1", "--", ...folders], {
      timeout: countMs,
    });
    return stdout.split("\n");
  } catch (error) {
    // It ends with 1 when anything that it counts is removed meanwhile, and has counted the rest.
    const { code, stdout } = error as { code?: unknown; stdout?: unknown };
    if (code !== 1 || typeof stdout !== "string") throw error;
    return stdout.split("\n");
  }
}
