/**
 * States of volumes on this worker's disk, as stacks of plain layers that containers mount. They are a cache of what the
 * server has: of another boot of the host they are thrown away, so nothing of them is ever synced.
 */
import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { hasCode, type Logger, removeBelow, temporaryBeside } from "@lydian/kit";

import { currentBoot } from "../boot.ts";
import type { Layer } from "../layers/index.ts";
import { chainTo, foldFrom, newestOf, type Step } from "./chain.ts";
import { LayerWriter } from "./layer-writer.ts";
import { PieceReader } from "./piece-reader.ts";
import type { VolumeServer } from "./volume-server.ts";

/** A state that is kept until it is released. */
export interface Tree {
  readonly volumeId: string;
  readonly number: number;
  /** Topmost first. */
  readonly layers: readonly Layer[];
}

export class VolumeTrees {
  readonly #folder: string;
  readonly #server: VolumeServer;
  readonly #logger: Logger;
  /** One thing after the other for each volume. */
  readonly #turns = new Map<string, Promise<unknown>>();
  /** How many trees have a layer, by its folder. */
  readonly #holds = new Map<string, number>();

  private constructor(folder: string, server: VolumeServer, logger: Logger) {
    this.#folder = folder;
    this.#server = server;
    this.#logger = logger;
  }

  static async open(folder: string, server: VolumeServer, logger: Logger): Promise<VolumeTrees> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const bootFile = join(folder, "boot");
    if ((await textOf(bootFile)) !== currentBoot) {
      for (const name of await readdir(folder)) await removeBelow(folder, join(folder, name));
      await writeFile(bootFile, currentBoot);
    }
    return new VolumeTrees(folder, server, logger);
  }

  /** The newest state that the server has. */
  async newest(volumeId: string): Promise<Tree> {
    const tree = await this.#inTurn(volumeId, () => this.#newest(volumeId));
    void this.#inTurn(volumeId, () => this.#tidy(volumeId)).catch((error: unknown) => {
      this.#logger.warn({ err: error, volume: volumeId }, "the layers of a volume could not be folded or removed");
    });
    return tree;
  }

  /** One that a worker before had; undefined when it is not all there. */
  async again(volumeId: string, number: number, names: readonly string[]): Promise<Tree | undefined> {
    const there = new Set(await namesIn(join(this.#folder, volumeId)));
    return names.every((name) => there.has(name)) ? this.#hold(volumeId, number, names) : undefined;
  }

  release({ layers }: Tree): void {
    for (const { diff } of layers) {
      const left = (this.#holds.get(diff) ?? 0) - 1;
      if (left > 0) this.#holds.set(diff, left);
      else this.#holds.delete(diff);
    }
  }

  async #newest(volumeId: string): Promise<Tree> {
    const folder = join(this.#folder, volumeId);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const steps = await this.#steps(volumeId);
    const known = newestOf(steps) ?? 0;
    const made = await this.#make(volumeId, chainTo(steps, known), known, undefined);
    const chain = made === undefined ? chainTo(steps, known) : chainTo([...steps, made], made.to);
    return this.#hold(volumeId, chain.at(-1)?.to ?? 0, chain.map(nameOf).toReversed());
  }

  /** Undefined when there is nothing new. `chain` leads to the state at which the new layer's files may lie already. */
  async #make(
    volumeId: string,
    chain: readonly Step[],
    from: number,
    to: number | undefined,
  ): Promise<Step | undefined> {
    const folder = join(this.#folder, volumeId);
    const diffOf = (step: Step): string => join(folder, nameOf(step), "diff");
    const draft = temporaryBeside(join(folder, "draft"));
    const base = chain
      .filter((step) => step.to <= from)
      .toReversed()
      .map(diffOf);
    await mkdir(join(draft, "diff"), { recursive: true });
    const writer = new LayerWriter(join(draft, "diff"), {
      base,
      fileOf: (path, since) => {
        const step = chain.find((each) => each.from < since && since <= each.to);
        return step && join(diffOf(step), path);
      },
      pieces: new PieceReader(this.#server),
    });
    let head = from;
    try {
      for await (const change of this.#server.changes(volumeId, from, to)) {
        if (change.change.case === "head") head = Number(change.change.value);
        await writer.add(change);
      }
      await writer.finish();
      if (head === from && chain.length > 0) {
        await removeBelow(folder, draft);
        return undefined;
      }
      const step = { from, to: head, entries: writer.entries };
      await rename(draft, join(folder, nameOf(step)));
      return step;
    } catch (error) {
      await removeBelow(folder, draft);
      throw error;
    }
  }

  /** Makes one layer of those that are better one, and removes what no tree and no newer state needs. */
  async #tidy(volumeId: string): Promise<void> {
    const folder = join(this.#folder, volumeId);
    let steps = await this.#steps(volumeId);
    const newest = newestOf(steps);
    if (newest === undefined) return;
    const from = foldFrom(chainTo(steps, newest));
    if (from !== undefined) {
      await this.#make(volumeId, chainTo(steps, newest), from, newest);
      steps = await this.#steps(volumeId);
    }
    const needed = new Set(chainTo(steps, newest).map(nameOf));
    for (const name of await namesIn(folder)) {
      if (needed.has(name) || this.#holds.has(join(folder, name, "diff"))) continue;
      await removeBelow(folder, join(folder, name));
    }
  }

  async #steps(volumeId: string): Promise<Step[]> {
    return (await namesIn(join(this.#folder, volumeId))).flatMap((name) => stepOf(name) ?? []);
  }

  #hold(volumeId: string, number: number, names: readonly string[]): Tree {
    const layers = names.map((name) => ({ id: name, diff: join(this.#folder, volumeId, name, "diff") }));
    for (const { diff } of layers) this.#holds.set(diff, (this.#holds.get(diff) ?? 0) + 1);
    return { volumeId, number, layers };
  }

  #inTurn<T>(volumeId: string, act: () => Promise<T>): Promise<T> {
    const turn = (this.#turns.get(volumeId) ?? Promise.resolve()).then(act);
    const settled = turn.catch(() => {}); // told to the caller
    this.#turns.set(volumeId, settled);
    void settled.then(() => {
      if (this.#turns.get(volumeId) === settled) this.#turns.delete(volumeId);
    });
    return turn;
  }
}

const nameOf = ({ from, to, entries }: Step): string => `${from}-${to}-${entries}`;

function stepOf(name: string): Step | undefined {
  const found = /^(\d+)-(\d+)-(\d+)$/.exec(name);
  if (found === null) return undefined;
  return { from: Number(found[1]), to: Number(found[2]), entries: Number(found[3]) };
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return [];
    throw error;
  }
}

async function textOf(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}
