/**
 * One volume in one container: an overlay of a state under an upper of its own, mounted once beside the container's root and
 * shown inside of it at one or several points.
 *
 * A commit publishes what the upper has, and leaves the mount as it is. A reload takes the mount away, which the kernel
 * refuses while anything in the container uses it, and mounts the newest state under a new upper.
 */
import { mkdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";

import { type Logger, PlatformError } from "@lydian/kit";

import type { Frozen } from "../cgroups/cgroups.ts";
import { clonesOf, type IdMap, isMounted, type Mounter } from "../layers/index.ts";
import { usedFile } from "./open-files.ts";
import { Publisher, type PublisherDeps, type StandStill } from "./publisher.ts";
import type { MountedState, VolumePoint, VolumeRecord } from "./volume-record.ts";
import type { Tree, VolumeTrees } from "./volume-trees.ts";

/** A container's root, as its runtime has it. */
export interface ContainerRoot {
  /** Where it is mounted on the host. */
  readonly root: string;
  /** A folder beside it, which goes with it. */
  readonly beside: string;
  readonly idMap: IdMap | undefined;
  freeze(): Promise<Frozen>;
  /** Lets it go on, whoever froze it. */
  thaw(): Promise<void>;
  pids(): Promise<number[]>;
}

export interface MountedVolumeDeps extends PublisherDeps {
  readonly trees: VolumeTrees;
  readonly mounter: Mounter;
  readonly logger: Logger;
  /** Takes a folder out of sight and deletes it. */
  throwAway(folder: string): Promise<void>;
}

export interface VolumePlace {
  readonly containerId: string;
  /** For the uppers; on the data disk. */
  readonly folder: string;
  /** Keeps what must be known after kill -9. */
  save(record: VolumeRecord): Promise<void>;
}

const alone: StandStill = (work) => work();

export class MountedVolume {
  readonly #deps: MountedVolumeDeps;
  readonly #place: VolumePlace;
  #record: VolumeRecord;
  #tree: Tree;
  #root: ContainerRoot | undefined;
  #publisher: Publisher;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(deps: MountedVolumeDeps, place: VolumePlace, record: VolumeRecord, tree: Tree) {
    this.#deps = deps;
    this.#place = place;
    this.#record = record;
    this.#tree = tree;
    this.#publisher = this.#publisherOf(record.mounted, tree);
  }

  /** The newest state, for a container that is about to start. */
  static async prepare(
    deps: MountedVolumeDeps,
    place: VolumePlace,
    volumeId: string,
    points: readonly VolumePoint[],
  ): Promise<MountedVolume> {
    const tree = await deps.trees.newest(volumeId);
    const record = { volumeId, points, mounted: stateOf(0, tree), seen: tree.number, commits: 0 };
    return new MountedVolume(deps, place, record, tree);
  }

  /** What a worker before had mounted, or was about to. */
  static async again(deps: MountedVolumeDeps, place: VolumePlace, record: VolumeRecord): Promise<MountedVolume> {
    const { volumeId, mounted } = record;
    const tree = await deps.trees.again(volumeId, mounted.number, mounted.layers);
    if (tree === undefined) throw new PlatformError(`the layers of volume ${volumeId} are gone`);
    return new MountedVolume(deps, place, record, tree);
  }

  get record(): VolumeRecord {
    return this.#record;
  }

  get #isReadOnly(): boolean {
    return this.#record.points.every(({ readOnly }) => readOnly);
  }

  async mount(root: ContainerRoot): Promise<void> {
    this.#root = root;
    await this.#mount(root);
  }

  /**
   * Goes on with a container that runs, or stands still since a worker before died in a reload, which is then finished or
   * undone: until all is whole again nothing in the container may go on.
   */
  async adopt(root: ContainerRoot): Promise<void> {
    this.#root = root;
    const { before } = this.#record;
    if (before !== undefined && isMounted(this.#mountOf(root, before))) {
      // It was not given up: something may be open in it.
      this.#deps.trees.release(this.#tree);
      await this.#become({ ...this.#record, mounted: before, before: undefined });
      if (!(await this.#isWhole(root, before))) await this.#standStill(() => this.#showMissing(root));
    } else if (!(await this.#isWhole(root, this.#record.mounted))) {
      await this.#standStill(async () => {
        await this.#detach(root, this.#record.mounted);
        await this.#mount(root);
      });
    }
    if (this.#record.before !== undefined) await this.#save({ ...this.#record, before: undefined });
    await root.thaw();
  }

  /** Publishes what the container has written. */
  commit(): Promise<void> {
    return this.#inTurn(() => this.#publish((work) => this.#standStill(work)));
  }

  /** Shows the container the newest state; throws a PlatformError while its files are open. */
  reload(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#publish((work) => this.#standStill(work));
      if ((await this.#deps.server.head(this.#record.volumeId)) === this.#record.seen) return;
      let tree = await this.#deps.trees.newest(this.#record.volumeId);
      await this.#standStill(async () => {
        if (await this.#publish(alone)) {
          this.#deps.trees.release(tree);
          tree = await this.#deps.trees.newest(this.#record.volumeId);
        }
        await this.#replace(tree);
      });
    });
  }

  /** The last commit, of a container whose processes are gone. */
  finish(): Promise<void> {
    return this.#inTurn(() => this.#publish(alone));
  }

  release(): void {
    this.#deps.trees.release(this.#tree);
  }

  /** Whether there was anything. */
  async #publish(standStill: StandStill): Promise<boolean> {
    if (this.#isReadOnly) return false;
    const { containerId } = this.#place;
    const key = async (): Promise<string> => {
      await this.#save({ ...this.#record, commits: this.#record.commits + 1 });
      return `${containerId} ${this.#record.commits}`;
    };
    const number = await this.#publisher.publish(key, containerId, standStill);
    if (number === undefined) return false;
    if (number === this.#record.seen + 1) await this.#save({ ...this.#record, seen: number });
    return true;
  }

  /** Nobody in the container runs. */
  async #replace(tree: Tree): Promise<void> {
    const root = this.#rootThere();
    const { mounted: before } = this.#record;
    const old = { tree: this.#tree, folder: this.#uppersOf(before) };
    await this.#save({ ...this.#record, mounted: stateOf(before.upper + 1, tree), before });
    const device = (await stat(this.#mountOf(root, before))).dev;
    if (!(await this.#deps.mounter.release(this.#mountOf(root, before), root.root))) {
      this.#deps.trees.release(tree);
      await this.#save({ ...this.#record, mounted: before, before: undefined });
      await this.#showMissing(root);
      const used = usedFile(await root.pids(), device);
      throw new PlatformError(`there are open files preventing the operation${used === "" ? "" : `: ${used}`}`, {
        hint: "close them, and reload again",
      });
    }
    this.#tree = tree;
    this.#publisher = this.#publisherOf(this.#record.mounted, tree);
    await this.#mount(root);
    await this.#save({ ...this.#record, before: undefined, seen: tree.number });
    this.#deps.trees.release(old.tree);
    await this.#deps.throwAway(old.folder);
  }

  async #mount(root: ContainerRoot): Promise<void> {
    const { mounted, points } = this.#record;
    const target = this.#mountOf(root, mounted);
    const work = this.#uppersOf(mounted);
    await mkdir(target, { recursive: true, mode: 0o700 });
    // Marked as volatile by a mount that was taken away again; of this boot, so the upper is what was written.
    await rm(join(work, "w"), { recursive: true, force: true });
    await this.#deps.mounter.mountRoot({
      lowers: this.#tree.layers,
      work,
      target,
      volatile: true,
      redirects: true,
      ...(root.idMap && { idMap: root.idMap }),
    });
    for (const point of points) await this.#show(root, point);
  }

  async #show(root: ContainerRoot, { path, readOnly, subPath }: VolumePoint): Promise<void> {
    const source = this.#mountOf(root, this.#record.mounted);
    await this.#deps.mounter.bind({
      ...{ source, path, readOnly, root: root.root },
      ...(subPath !== "" && { within: subPath }),
    });
  }

  /** Points that were taken away before the kernel refused one. */
  async #showMissing(root: ContainerRoot): Promise<void> {
    const { points, mounted } = this.#record;
    const there = new Set(clonesOf(this.#mountOf(root, mounted), root.root));
    for (const point of points) if (!there.has(join(root.root, point.path))) await this.#show(root, point);
  }

  async #detach(root: ContainerRoot, state: MountedState): Promise<void> {
    const mount = this.#mountOf(root, state);
    for (const point of clonesOf(mount, root.root)) await this.#deps.mounter.unmount(point);
    await this.#deps.mounter.unmount(mount);
  }

  async #isWhole(root: ContainerRoot, state: MountedState): Promise<boolean> {
    return clonesOf(this.#mountOf(root, state), root.root).length === this.#record.points.length;
  }

  async #become(record: VolumeRecord): Promise<void> {
    const tree = await this.#deps.trees.again(record.volumeId, record.mounted.number, record.mounted.layers);
    if (tree === undefined) throw new PlatformError(`the layers of volume ${record.volumeId} are gone`);
    this.#tree = tree;
    this.#publisher = this.#publisherOf(record.mounted, tree);
    await this.#save(record);
  }

  async #standStill<T>(work: () => Promise<T>): Promise<T> {
    const frozen = await this.#rootThere().freeze();
    try {
      return await work();
    } finally {
      await frozen.thaw();
    }
  }

  #rootThere(): ContainerRoot {
    if (this.#root === undefined) throw new PlatformError("the container has not begun");
    return this.#root;
  }

  async #save(record: VolumeRecord): Promise<void> {
    this.#record = record;
    await this.#place.save(record);
  }

  #publisherOf(mounted: MountedState, { volumeId, layers }: Tree): Publisher {
    const folder = this.#uppersOf(mounted);
    return new Publisher(this.#deps, { volumeId, folder, layers: layers.map(({ diff }) => diff) });
  }

  #uppersOf({ upper }: MountedState): string {
    return join(this.#place.folder, String(upper));
  }

  #mountOf(root: ContainerRoot, { upper }: MountedState): string {
    return join(root.beside, `${this.#record.volumeId}-${upper}`);
  }

  #inTurn<T>(act: () => Promise<T>): Promise<void> {
    const turn = this.#turn.then(act);
    this.#turn = turn.catch(() => {}); // told to the caller
    return turn.then(() => {});
  }
}

function stateOf(upper: number, { number, layers }: Tree): MountedState {
  return { upper, number, layers: layers.map(({ id }) => id) };
}
