/**
 * States of volumes on this worker's disk, as stacks of plain layers that containers mount. They are a cache of what the
 * server has: of another boot of the host they are thrown away, so nothing of them is ever synced.
 */
import { mkdir, readdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";

import type * as wire from "@lydian/contract/worker";
import { type Logger, namesIn, removeBelow, temporaryBeside, textOf, Turns } from "@lydian/kit";

import { currentBoot } from "../boot.ts";
import type { Layer } from "../layers/index.ts";
import { chainTo, foldFrom, newestOf, type Step } from "./chain.ts";
import type { LayerMaker } from "./layer-maker.ts";
import { type KnownFile, LayerWriter } from "./layer-writer.ts";
import type { OwedCommit, OwedCommits, OwedSize } from "./owed-commits.ts";
import { PieceReader } from "./piece-reader.ts";
import type { VolumeServer } from "./volume-server.ts";

/** A state that is kept until it is released. */
export interface Tree {
  readonly volumeId: string;
  readonly number: number;
  /** Topmost first. */
  readonly layers: readonly Layer[];
}

/** The file that this entry is, where it is known. */
export type FileOf = (entry: wire.VolumeEntry) => KnownFile | undefined;

export interface TreesDeps {
  readonly server: VolumeServer;
  readonly owed: OwedCommits;
  readonly maker: LayerMaker;
  readonly logger: Logger;
}

export class VolumeTrees {
  readonly #folder: string;
  readonly #server: VolumeServer;
  readonly #owed: OwedCommits;
  readonly #maker: LayerMaker;
  readonly #logger: Logger;
  /** Volumes whose layers are being folded or removed. */
  readonly #tidied = new Set<string>();
  /** One thing after the other for each volume. */
  readonly #turns = new Turns();
  /** How many trees have a layer, by its folder. */
  readonly #holds = new Map<string, number>();
  #isClosed = false;

  private constructor(folder: string, { server, owed, maker, logger }: TreesDeps) {
    this.#folder = folder;
    this.#server = server;
    this.#owed = owed;
    this.#maker = maker;
    this.#logger = logger;
  }

  static async open(folder: string, deps: TreesDeps): Promise<VolumeTrees> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const bootFile = join(folder, "boot");
    if ((await textOf(bootFile)) !== currentBoot) {
      for (const name of await readdir(folder)) await removeBelow(folder, join(folder, name));
      await writeFile(bootFile, currentBoot);
    }
    return new VolumeTrees(folder, deps);
  }

  /** The newest state that the server has; or that is known here, when that is not before the commit `head`. */
  async newest(volumeId: string, head = Number.POSITIVE_INFINITY): Promise<Tree> {
    const tree = await this.#whenSettled(volumeId, async () => {
      const steps = await this.#steps(volumeId);
      const known = newestOf(steps) ?? -1;
      return this.#hold(volumeId, known >= head ? chainTo(steps, known) : await this.#chain(volumeId));
    });
    this.#tidyLater(volumeId);
    return tree;
  }

  /** Whether a commit that is on disk may return before it is made; then nobody here gets the volume until it is. */
  async owe(commit: OwedCommit, size: OwedSize): Promise<boolean> {
    const { volumeId, key } = commit;
    return await this.#whenSettled(
      volumeId,
      async () => await this.#owed.owe(commit, () => this.#server.owe(volumeId, key, size)),
    );
  }

  /** The commit that this container owes to the volume. */
  owedBy(containerId: string, volumeId: string): OwedCommit | undefined {
    const commit = this.#owed.of(volumeId);
    return commit?.containerId === containerId ? commit : undefined;
  }

  async paid(commit: OwedCommit): Promise<void> {
    await this.#owed.paid(commit);
  }

  /**
   * Makes a commit, and then the state that it leads to, from the files that it is made of: they need not come from the
   * server. Meanwhile nobody gets another state of the volume. `commit` answers its number, or undefined for none; `state`
   * is the one that is then the newest known: undefined when that is a later one already. `isOwed`: it is the one that is owed.
   */
  async commit(
    volumeId: string,
    commit: () => Promise<number | undefined>,
    fileOf: FileOf,
    isOwed = false,
  ): Promise<{ number: number | undefined; state: Promise<Tree | undefined> }> {
    const committed = Promise.withResolvers<number | undefined>();
    const make = async (): Promise<Tree | undefined> => {
      const number = await commit();
      committed.resolve(number);
      if (number === undefined) return undefined;
      return this.#holdAt(volumeId, number, await this.#chain(volumeId, { to: number, fileOf }));
    };
    const state = isOwed ? this.#turns.take(volumeId, make) : this.#whenSettled(volumeId, make);
    state.catch(committed.reject);
    const number = await committed.promise;
    if (number !== undefined) this.#tidyLater(volumeId);
    return { number, state };
  }

  /** One of which this worker has all layers already, or gets them; undefined where it knows later ones alone. */
  async known(volumeId: string, number: number): Promise<Tree | undefined> {
    return await this.#turns.take(volumeId, async () =>
      this.#holdAt(volumeId, number, await this.#chain(volumeId, { to: number })),
    );
  }

  /** One that a worker before had; undefined when it is not all there. */
  async again(volumeId: string, number: number, names: readonly string[]): Promise<Tree | undefined> {
    const there = new Set(await namesIn(join(this.#folder, volumeId)));
    return names.every((name) => there.has(name)) ? this.#holdLayers(volumeId, number, names) : undefined;
  }

  release({ layers }: Tree): void {
    for (const { diff } of layers) {
      const left = (this.#holds.get(diff) ?? 0) - 1;
      if (left > 0) this.#holds.set(diff, left);
      else this.#holds.delete(diff);
    }
  }

  /** What is being made is left to be removed by the next worker. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#maker[Symbol.asyncDispose]();
  }

  /** What leads to the newest state, or to one that is asked for; to a later one when that is known already. */
  async #chain(
    volumeId: string,
    { to, fileOf = () => undefined }: { to?: number; fileOf?: FileOf } = {},
  ): Promise<Step[]> {
    await mkdir(join(this.#folder, volumeId), { recursive: true, mode: 0o700 });
    const steps = await this.#steps(volumeId);
    const known = newestOf(steps);
    if (to !== undefined && known !== undefined && known >= to) {
      const chain = chainTo(steps, to);
      return chain.length > 0 ? chain : chainTo(steps, known);
    }
    const chain = chainTo(steps, known ?? 0);
    const made = await this.#make(volumeId, { chain, from: known ?? 0, to, fileOf });
    return made === undefined ? chain : chainTo([...steps, made], made.to);
  }

  /** Undefined when there is nothing new. `chain` leads to a state whose layers may have the new one's files. */
  async #make(
    volumeId: string,
    { chain, from, to, fileOf }: { chain: readonly Step[]; from: number; to: number | undefined; fileOf: FileOf },
  ): Promise<Step | undefined> {
    const folder = join(this.#folder, volumeId);
    const diffOf = (step: Step): string => join(folder, nameOf(step), "diff");
    const draft = temporaryBeside(join(folder, "draft"));
    const below = chain.filter((step) => step.to <= from).toReversed();
    const writer = new LayerWriter(join(draft, "diff"), {
      base: { layers: below.map(diffOf), uppers: 0 },
      knownFile: (entry) => {
        const since = Number(entry.since);
        const step = chain.find((each) => each.from < since && since <= each.to);
        if (step === undefined) return fileOf(entry);
        return { file: join(diffOf(step), entry.path), isPlain: true };
      },
      pieces: new PieceReader(this.#server),
      maker: this.#maker,
    });
    let head = from;
    try {
      for await (const change of this.#server.changes(volumeId, from, to)) {
        if (change.change.case === "head") {
          head = Number(change.change.value);
          if (head !== from || chain.length === 0) await mkdir(join(draft, "diff"), { recursive: true });
        }
        await writer.add(change);
      }
      if (head === from && chain.length > 0) return undefined;
      await writer.finish();
      const step = { from, to: head, entries: writer.entries };
      await rename(draft, join(folder, nameOf(step)));
      return step;
    } catch (error) {
      await removeBelow(folder, draft);
      throw error;
    }
  }

  /** One at a time for each volume, and in nobody's way. */
  #tidyLater(volumeId: string): void {
    if (this.#tidied.has(volumeId)) return;
    this.#tidied.add(volumeId);
    const tidied = this.#tidy(volumeId).finally(() => this.#tidied.delete(volumeId));
    tidied.catch((error: unknown) => {
      if (this.#isClosed) return;
      this.#logger.warn({ err: error, volume: volumeId }, "the layers of a volume could not be folded or removed");
    });
  }

  /** Makes one layer of those that are better one, and removes what no tree and no newer state needs. */
  async #tidy(volumeId: string): Promise<void> {
    const folder = join(this.#folder, volumeId);
    const { chain, held } = await this.#turns.take(volumeId, async () => {
      const steps = await this.#steps(volumeId);
      const newest = chainTo(steps, newestOf(steps) ?? 0);
      return { chain: newest, held: this.#hold(volumeId, newest) };
    });
    try {
      const from = foldFrom(chain);
      if (from !== undefined) {
        await this.#make(volumeId, { chain, from, to: held.number, fileOf: () => undefined });
      }
    } finally {
      this.release(held);
    }
    const gone = temporaryBeside(join(folder, "gone"));
    const isAny = await this.#turns.take(volumeId, async () => {
      const steps = await this.#steps(volumeId);
      const needed = new Set(chainTo(steps, newestOf(steps) ?? 0).map(nameOf));
      const names = (await namesIn(folder)).filter(
        (name) => !needed.has(name) && !this.#holds.has(join(folder, name, "diff")),
      );
      if (names.length > 0) await mkdir(gone);
      for (const name of names) await rename(join(folder, name), join(gone, name));
      return names.length > 0;
    });
    if (isAny) await removeBelow(folder, gone);
  }

  async #steps(volumeId: string): Promise<Step[]> {
    return (await namesIn(join(this.#folder, volumeId))).flatMap((name) => stepOf(name) ?? []);
  }

  #holdAt(volumeId: string, number: number, chain: readonly Step[]): Tree | undefined {
    return chain.at(-1)?.to === number ? this.#hold(volumeId, chain) : undefined;
  }

  #hold(volumeId: string, chain: readonly Step[]): Tree {
    return this.#holdLayers(volumeId, chain.at(-1)?.to ?? 0, chain.map(nameOf).toReversed());
  }

  #holdLayers(volumeId: string, number: number, names: readonly string[]): Tree {
    const layers = names.map((name) => ({ id: name, diff: join(this.#folder, volumeId, name, "diff") }));
    for (const { diff } of layers) this.#holds.set(diff, (this.#holds.get(diff) ?? 0) + 1);
    return { volumeId, number, layers };
  }

  /** In a turn in which nothing is owed: who pays needs a turn, too. */
  async #whenSettled<T>(volumeId: string, act: () => Promise<T>): Promise<T> {
    for (;;) {
      await this.#owed.settled(volumeId);
      const done = await this.#turns.take(volumeId, async () =>
        this.#owed.of(volumeId) === undefined ? { value: await act() } : undefined,
      );
      if (done !== undefined) return done.value;
    }
  }
}

const nameOf = ({ from, to, entries }: Step): string => `${from}-${to}-${entries}`;

function stepOf(name: string): Step | undefined {
  const found = /^(\d+)-(\d+)-(\d+)$/.exec(name);
  if (found === null) return undefined;
  return { from: Number(found[1]), to: Number(found[2]), entries: Number(found[3]) };
}
