/**
 * What one container sees of a volume: a state, on it uppers that are sealed, and on these an upper of its own. Mounts it, puts
 * something else in its place while the processes stand still, and keeps the record of what is there.
 */
import { join } from "node:path";

import { type Clock, type Logger, PlatformError } from "@lydian/kit";

import type { LeftMount, Mounter } from "../layers/index.ts";
import { EarlyWrites } from "./early-writes.ts";
import { type HeldTrees, knownOf, type Mountable, treesAgain } from "./mounted-state.ts";
import type { Upper } from "./upper.ts";
import { Uppers, type UppersDeps } from "./uppers.ts";
import { type ContainerRoot, VolumeMount } from "./volume-mount.ts";
import type { MountedState, VolumePlace, VolumeRecord } from "./volume-record.ts";
import type { Tree, VolumeTrees } from "./volume-trees.ts";

export interface VolumeViewDeps extends UppersDeps {
  readonly mounter: Mounter;
  readonly trees: VolumeTrees;
  readonly logger: Logger;
  readonly clock: Clock;
}

/** Leaves a number for what the sealed ones are folded into. */
export const nextUpper = ({ upper }: MountedState): number => upper + 2;

export interface SwapOptions {
  /** Done when nobody in the container runs; may answer yet another state. */
  readonly last?: () => Promise<Mountable>;
  /** It shows all of the commits of its state. */
  readonly isNewest?: boolean;
}

export class VolumeView {
  readonly uppers: Uppers;
  readonly #deps: VolumeViewDeps;
  readonly #place: VolumePlace;
  #record: VolumeRecord;
  /** While it takes the place of what is mounted. */
  #intent: MountedState | undefined;
  #trees: HeldTrees;
  /** The upper that the container writes to; undefined until it is asked about. */
  #live: Upper | undefined;
  #early: EarlyWrites | undefined;
  #root: { container: ContainerRoot; mount: VolumeMount } | undefined;

  constructor(deps: VolumeViewDeps, place: VolumePlace, record: VolumeRecord, trees: HeldTrees) {
    this.#deps = deps;
    this.#place = place;
    this.#record = record;
    this.#trees = trees;
    this.uppers = new Uppers(deps, { volumeId: record.volumeId, folder: place.folder });
  }

  /** As it is to be kept. */
  get record(): VolumeRecord {
    if (this.#intent === undefined) return this.#record;
    return { ...this.#record, mounted: this.#intent, before: this.#record.mounted };
  }

  get isReadOnly(): boolean {
    return this.#record.points.every(({ readOnly }) => readOnly);
  }

  get current(): Mountable {
    return { mounted: this.#record.mounted, tree: this.#trees.mounted };
  }

  /** The state that shows what the sealed uppers on the mounted one show, once there is one. */
  get same(): Tree | undefined {
    return this.#trees.same;
  }

  get container(): ContainerRoot {
    return this.#rootThere.container;
  }

  /** Of the file system that is mounted. */
  device(): Promise<number> {
    return this.#rootThere.mount.deviceOf(this.#record.mounted);
  }

  async mount(container: ContainerRoot): Promise<void> {
    await this.#in(container).mount(this.#record.mounted, this.uppers.lowersOf(this.current));
    this.#writeEarly();
  }

  /**
   * Goes on with a container that runs, or stands still since a worker before died while it swapped mounts, which is then
   * finished or undone: until all is whole again nothing in the container may go on.
   */
  async adopt(container: ContainerRoot): Promise<void> {
    const mount = this.#in(container);
    const { before, mounted } = this.#record;
    if (before !== undefined && mount.isThere(before)) {
      // It was not given up: something may be open in it.
      const trees = await treesAgain(this.#deps.trees, { ...this.#record, mounted: before, before: undefined });
      await this.standStill(async () => {
        await this.#forget(mounted);
        await mount.showMissing(before);
      });
      this.release();
      this.#trees = trees;
      await this.save({ mounted: before, before: undefined });
    } else {
      await this.#forget({ upper: nextUpper(mounted) }); // it may have been prepared, and not recorded
      if (!mount.isWhole(mounted)) {
        await this.standStill(async () => {
          await mount.detach(mounted);
          await mount.mount(mounted, this.uppers.lowersOf(this.current));
        });
      }
    }
    await this.save({ before: undefined });
    if (this.#trees.before !== undefined) this.#deps.trees.release(this.#trees.before);
    this.#trees = { ...this.#trees, before: undefined };
    await container.thaw();
    this.#writeEarly();
  }

  /**
   * Puts another state in the place of the one that is mounted; undefined while its files are in use. Once it is done the record
   * on disk still says both, which the next worker understands as well: a save may wait.
   */
  async swap(wanted: Mountable, { last, isNewest = false }: SwapOptions = {}): Promise<LeftMount | undefined> {
    const { mount } = this.#rootThere;
    const { mounted: before } = this.#record;
    let next = wanted;
    let left: LeftMount | undefined;
    try {
      await this.#prepare(next);
      await this.standStill(async () => {
        const then = (await last?.()) ?? next;
        if (then !== next) {
          await this.#forget(next.mounted);
          next = then;
          await this.#prepare(next);
        }
        left = await mount.swap(before, next.mounted);
      });
    } finally {
      this.#intent = undefined;
      if (left !== undefined) this.#became(next, isNewest);
      else {
        await this.#forget(next.mounted);
        await this.save({});
      }
    }
    return left;
  }

  async standStill<T>(work: () => Promise<T>): Promise<T> {
    const frozen = await this.container.freeze();
    try {
      return await work();
    } finally {
      await frozen.thaw();
    }
  }

  async save(changed: Partial<VolumeRecord>): Promise<void> {
    this.#record = { ...this.#record, ...changed };
    await this.#place.save(this.record);
  }

  async saveMounted(changed: Partial<MountedState>): Promise<void> {
    await this.save({ mounted: { ...this.#record.mounted, ...changed } });
  }

  /** A state that shows what the sealed uppers show; it is the view's from here on. */
  async shows(tree: Tree): Promise<void> {
    if (this.#trees.same !== undefined) this.#deps.trees.release(this.#trees.same);
    this.#trees = { ...this.#trees, same: tree };
    await this.saveMounted({ same: knownOf(tree) });
  }

  liveUpper(): Upper {
    this.#live ??= this.uppers.of(this.current, this.#record.mounted.upper, false);
    return this.#live;
  }

  /** Sealed and not published, while the container has gone on. */
  sealedOwed(of = this.current): Upper[] {
    return of.mounted.isOwed ? of.mounted.sealed.slice(0, 1).map((upper) => this.uppers.of(of, upper, true)) : [];
  }

  /** What may have something to publish once nobody runs any more, the lowest first: of each view that it may have been. */
  lastUppers(): Upper[][] {
    if (this.isReadOnly) return [];
    const { before } = this.#record;
    const { before: tree } = this.#trees;
    const views = [...(before && tree ? [{ mounted: before, tree }] : []), this.current];
    return views.map((of) => [...this.sealedOwed(of), this.uppers.of(of, of.mounted.upper, true)]);
  }

  release(): void {
    this.#early?.[Symbol.dispose]();
    for (const tree of Object.values(this.#trees) as (Tree | undefined)[]) if (tree) this.#deps.trees.release(tree);
  }

  /** Mounts it beside what is seen. The record says so before anything takes the other's place. */
  async #prepare(next: Mountable): Promise<void> {
    this.#intent = next.mounted;
    const prepared = this.#rootThere.mount.prepare(next.mounted, this.uppers.lowersOf(next));
    const [failed] = (await Promise.allSettled([prepared, this.#place.save(this.record)])).filter(
      ({ status }) => status === "rejected",
    );
    if (failed !== undefined) throw (failed as PromiseRejectedResult).reason;
  }

  /** What was prepared, or begun to be, and is not shown: its number may be another one's now. */
  async #forget(mounted: Pick<MountedState, "upper">): Promise<void> {
    await this.#rootThere.mount.detach(mounted);
    await this.uppers.throwAway([mounted.upper]);
  }

  #became({ mounted, tree }: Mountable, isNewest: boolean): void {
    const { mounted: old, same } = this.#trees;
    this.#trees = { mounted: tree };
    for (const each of [old, same]) if (each !== undefined && each !== tree) this.#deps.trees.release(each);
    this.#live = undefined;
    this.#record = { ...this.#record, ...(isNewest && { seen: tree.number, isBehind: false }), mounted };
    this.#writeEarly();
  }

  #writeEarly(): void {
    this.#early?.[Symbol.dispose]();
    if (!this.isReadOnly)
      this.#early = new EarlyWrites(join(this.uppers.folderOf(this.#record.mounted.upper), "u"), this.#deps);
  }

  #in(container: ContainerRoot): VolumeMount {
    const { mounter } = this.#deps;
    const { volumeId, points } = this.#record;
    const mount = new VolumeMount({ mounter, root: container, volumeId, points, folder: this.#place.folder });
    this.#root = { container, mount };
    return mount;
  }

  get #rootThere(): { container: ContainerRoot; mount: VolumeMount } {
    if (this.#root === undefined) throw new PlatformError("the container has not begun");
    return this.#root;
  }
}
