/**
 * One volume in one container: what it sees of it, and how it comes to see something else.
 *
 * It sees a state, on it uppers that are sealed, and on these an upper of its own. A commit seals that upper, which never
 * changes again, and goes on with an empty one: the container stands still only while one mount takes another one's place.
 * Then the sealed upper is published. The kernel refuses that while anything in the container uses the mount; then the
 * mount is left as it is, what the upper has is published while the container goes on, and what has changed meanwhile
 * while it stands still. A reload mounts the newest state under an empty upper.
 */
import { readdir } from "node:fs/promises";
import { join } from "node:path";

import { type Clock, type Logger, PlatformError } from "@lydian/kit";

import { EarlyWrites } from "./early-writes.ts";
import type { LeftMount, Mounter } from "../layers/index.ts";
import { changesNothing } from "./change.ts";
import type { WrittenPath } from "./difference.ts";
import { type HeldTrees, knownOf, type Mountable, on, treesAgain } from "./mounted-state.ts";
import { inUse, refuseInUse } from "./open-files.ts";
import { mayBeOwed, type OwedFrom, sizeOf } from "./owed-commits.ts";
import { type Published, Publisher, type PublisherDeps, type PublishOptions, type StandStill } from "./publisher.ts";
import type { Upper } from "./upper.ts";
import { Uppers, type UppersDeps } from "./uppers.ts";
import { isBusy, isLeft } from "./unasked.ts";
import { type ContainerRoot, VolumeMount } from "./volume-mount.ts";
import type { MountedState, VolumePlace, VolumePoint, VolumeRecord } from "./volume-record.ts";
import type { Tree } from "./volume-trees.ts";

export interface MountedVolumeDeps extends PublisherDeps, UppersDeps {
  readonly mounter: Mounter;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly owedFrom: OwedFrom;
}

const alone: StandStill = (work) => work();

/** With more of them the kernel takes longer to find a name. */
const mostSealed = 8;

/** So many are made one when no state shows what they do. */
const foldedFrom = 6;

/** How often a commit asks whether its upper may be sealed: most files are open for a moment. */
const sealTries = 3;

/** Leaves a number for what the sealed ones are folded into. */
const nextUpper = ({ upper }: MountedState): number => upper + 2;

export class MountedVolume {
  readonly #deps: MountedVolumeDeps;
  readonly #place: VolumePlace;
  readonly #publisher: Publisher;
  readonly #uppers: Uppers;
  #record: VolumeRecord;
  /** While it takes the place of what is mounted. */
  #intent: MountedState | undefined;
  #trees: HeldTrees;
  /** Shows what these sealed uppers show together; its number lies between theirs and the live one's. */
  #folded: { readonly upper: number; readonly sealed: readonly number[] } | undefined;
  /** The upper that the container writes to; undefined until it is asked about. */
  #live: Upper | undefined;
  #early: EarlyWrites | undefined;
  /** The newest commit that it has made since the worker began. */
  #made = 0;
  #root: { container: ContainerRoot; mount: VolumeMount } | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(deps: MountedVolumeDeps, place: VolumePlace, record: VolumeRecord, trees: HeldTrees) {
    this.#deps = deps;
    this.#place = place;
    this.#record = record;
    this.#trees = trees;
    this.#publisher = new Publisher(deps, record.volumeId, place.containerId);
    this.#uppers = new Uppers(deps, { volumeId: record.volumeId, folder: place.folder });
  }

  /** The newest state, for a container that is about to start. */
  static async prepare(
    deps: MountedVolumeDeps,
    place: VolumePlace,
    volumeId: string,
    points: readonly VolumePoint[],
  ): Promise<MountedVolume> {
    const tree = await deps.trees.newest(volumeId);
    const record = { volumeId, points, mounted: on(tree, 0), seen: tree.number, isBehind: false, commits: 0 };
    return new MountedVolume(deps, place, record, { mounted: tree });
  }

  /** What a worker before had mounted, or was about to. */
  static async again(deps: MountedVolumeDeps, place: VolumePlace, record: VolumeRecord): Promise<MountedVolume> {
    return new MountedVolume(deps, place, record, await treesAgain(deps.trees, record));
  }

  get record(): VolumeRecord {
    if (this.#intent === undefined) return this.#record;
    return { ...this.#record, mounted: this.#intent, before: this.#record.mounted };
  }

  get #isReadOnly(): boolean {
    return this.#record.points.every(({ readOnly }) => readOnly);
  }

  async mount(container: ContainerRoot): Promise<void> {
    const { mounted } = this.#record;
    await this.#in(container).mount(mounted, this.#uppers.lowersOf({ mounted, tree: this.#trees.mounted }));
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
      await this.#standStill(async () => {
        await this.#forget(mounted);
        await mount.showMissing(before);
      });
      this.release();
      this.#trees = trees;
      await this.#save({ mounted: before, before: undefined });
    } else if (!mount.isWhole(this.#record.mounted)) {
      await this.#standStill(async () => {
        await mount.detach(mounted);
        await mount.mount(mounted, this.#uppers.lowersOf({ mounted, tree: this.#trees.mounted }));
      });
    }
    await this.#save({ before: undefined });
    if (this.#trees.before !== undefined) this.#deps.trees.release(this.#trees.before);
    this.#trees = { ...this.#trees, before: undefined };
    await container.thaw();
    this.#writeEarly();
    this.#inTurn(async () => void (await this.#pay())).catch((error: unknown) => {
      this.#deps.logger.warn(
        { err: error, volume: this.#record.volumeId },
        "a commit that has returned is not made yet",
      );
    });
  }

  /** Resolves when all is done that was begun, also what nobody waits for. */
  async idle(): Promise<void> {
    await this.#turn;
  }

  /** Publishes what the container has written. */
  commit(): Promise<void> {
    return this.#inTurn(() => this.#commit());
  }

  /**
   * Publishes it without being asked: who asks soon must not have to wait for that. So what is written to just now is left for
   * another time: all of it when that `mayWait`, then answers false; else large files.
   */
  async commitUnasked(mayWait: boolean): Promise<boolean> {
    let isDone = true;
    await this.#inTurn(async () => {
      const now = this.#deps.clock.now();
      if (mayWait && !this.#isReadOnly && !(await this.#hasNothing())) {
        isDone = !isBusy(await this.#liveUpper().read(), now);
      }
      if (!isDone) return undefined;
      return await this.#commit((file) => isLeft(file, now));
    });
    return isDone;
  }

  /**
   * Shows the container the newest state, which is not before the commit `head` where that is known; throws a PlatformError
   * while its files are open.
   */
  reload(head?: number): Promise<void> {
    return this.#inTurn(async () => {
      await (
        await this.#commit()
      )?.();
      const [{ trees }, { volumeId, mounted: before }, uppers] = [this.#deps, this.#record, this.#sealedAndFolded];
      const newest = async (head?: number): Promise<Mountable> => {
        const tree = await trees.newest(volumeId, head);
        return { tree, mounted: on(tree, nextUpper(before)) };
      };
      let next = await newest(head === undefined ? undefined : Math.max(head, this.#made));
      const { container, mount } = this.#rootThere();
      const isSeen = next.tree.number === this.#record.seen;
      if (isSeen) trees.release(next.tree);
      if (isSeen) return await refuseInUse(container, await mount.deviceOf(before));
      const last = async (): Promise<Mountable> => {
        if (await this.#publishRest()) {
          trees.release(next.tree);
          next = await newest();
        }
        return next;
      };
      const left = await this.#swap(next, { last, isNewest: true });
      if (left === undefined) {
        trees.release(next.tree);
        throw await inUse(container, await mount.deviceOf(before));
      }
      return async () => {
        await left.end();
        await this.#uppers.throwAway([before.upper, ...uppers]);
      };
    });
  }

  /** The last commit, of a container whose processes are gone. */
  finish(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#pay();
      const { before, mounted } = this.#record;
      const { before: tree } = this.#trees;
      // Nobody knows which of the two it was when it ended.
      if (before !== undefined && tree !== undefined) await this.#publish(this.#lastUppers({ mounted: before, tree }));
      const { state } = await this.#publish(this.#lastUppers({ mounted, tree: this.#trees.mounted }));
      const made = await state;
      if (made !== undefined) this.#deps.trees.release(made);
    });
  }

  release(): void {
    this.#early?.[Symbol.dispose]();
    for (const tree of Object.values(this.#trees) as (Tree | undefined)[]) if (tree) this.#deps.trees.release(tree);
  }

  /** Answers what is to be done when the caller knows. */
  async #commit(leaves?: (file: WrittenPath) => boolean): Promise<(() => Promise<void>) | undefined> {
    await this.#pay();
    if (this.#isReadOnly || (await this.#hasNothing())) return undefined;
    const before = this.#sealedAndFolded;
    const left = this.#record.mounted.isOwed ? undefined : await this.#seal();
    if (left === undefined) {
      await this.#publishLive((work) => this.#standStill(work), leaves);
      return undefined;
    }
    const isStill = left.end();
    isStill.catch(() => {}); // told to who needs it
    const rest = async (state: Promise<Tree | undefined>): Promise<void> => {
      await this.#uppers.throwAway(before.filter((upper) => !this.#record.mounted.sealed.includes(upper)));
      await this.#learn(state);
      if (this.#trees.same === undefined) await this.#fold();
    };
    if (await this.#mayOwe(isStill)) {
      return async () => {
        const paid = await this.#pay();
        if (paid !== undefined) await rest(paid.state);
      };
    }
    const { state } = await this.#publish(this.#sealedOwed(), { isStill });
    await this.#save({ mounted: { ...this.#record.mounted, isOwed: false } });
    return () => rest(state);
  }

  /** Whether what was sealed last may be sent when its commit has returned: it is safe on this disk then. */
  async #mayOwe(isStill: Promise<boolean>): Promise<boolean> {
    const { trees } = this.#deps;
    const [upper] = this.#sealedOwed();
    if (upper === undefined) return false;
    const change = await upper.changeOf(await upper.read());
    const size = sizeOf(change);
    if (changesNothing(change)) return false;
    if (!mayBeOwed(change, size, { upper: upper.folder, from: this.#deps.owedFrom }) || !(await isStill)) return false;
    const { containerId } = this.#place;
    const { volumeId } = this.#record;
    const key = await this.#nextKey();
    return await trees.owe({ volumeId, containerId, key, upper: upper.folder, change }, size);
  }

  /** Makes the commit that has returned before it was made, if there is one. */
  async #pay(): Promise<Published | undefined> {
    const { trees, logger } = this.#deps;
    const { volumeId } = this.#record;
    const owed = trees.owedBy(this.#place.containerId, volumeId);
    if (owed === undefined) return undefined;
    return await this.#publisher.pay(owed, async (number) => {
      if (number === undefined)
        logger.warn({ volume: volumeId }, "a volume was deleted before its last commit was here");
      await this.#save({ mounted: { ...this.#record.mounted, isOwed: false } });
      await this.#saw(number);
      await trees.paid(owed); // not before: what is not owed and not published would be published again
    });
  }

  get #sealedAndFolded(): number[] {
    return [...this.#record.mounted.sealed, ...(this.#folded ? [this.#folded.upper] : [])];
  }

  /** Or nothing could be sealed any more after a while. */
  async #fold(): Promise<void> {
    const { sealed, upper: live } = this.#record.mounted;
    const upper = live - 1;
    if (sealed.length < foldedFrom || sealed.includes(upper)) return;
    if (await this.#uppers.fold(this.#current, upper)) this.#folded = { upper, sealed };
  }

  async #hasNothing(): Promise<boolean> {
    const { mounted } = this.#record;
    if (mounted.isOwed) return false;
    if ((await readdir(join(this.#uppers.folderOf(mounted.upper), "u"))).length === 0) return true;
    const live = this.#liveUpper();
    // A container that could not be asked to stand aside has often nothing new.
    return (await live.isKnown()) && changesNothing(await live.changeOf(await live.read()));
  }

  /** Gives the container an empty upper on that which it has written; undefined while its files are in use. */
  async #seal(): Promise<LeftMount | undefined> {
    const { mounted } = this.#record;
    const { same } = this.#trees;
    const folded = this.#folded?.sealed === mounted.sealed ? [this.#folded.upper] : undefined;
    const below = same === undefined ? (folded ?? mounted.sealed) : [];
    if (below.length >= mostSealed) return undefined;
    const tree = same ?? this.#trees.mounted;
    const next = {
      tree,
      mounted: { ...on(tree, nextUpper(mounted)), sealed: [mounted.upper, ...below], isOwed: true },
    };
    let left: LeftMount | undefined;
    for (let tries = 1; left === undefined && tries <= sealTries; tries++) left = await this.#swap(next);
    return left;
  }

  /** The state that a commit has led to shows the same as the container sees, unless others' commits came between. */
  async #learn(state: Promise<Tree | undefined>): Promise<void> {
    const { trees, logger } = this.#deps;
    try {
      const { volumeId, seen, isBehind, mounted } = this.#record;
      const tree = (await state) ?? (isBehind ? undefined : await trees.known(volumeId, seen));
      if (tree === undefined) return;
      if (isBehind || tree.number !== seen) return trees.release(tree);
      if (this.#trees.same !== undefined) trees.release(this.#trees.same);
      this.#trees = { ...this.#trees, same: tree };
      await this.#save({ mounted: { ...mounted, same: knownOf(tree) } });
    } catch (error) {
      // What is sealed is kept until the next reload then.
      logger.warn({ err: error, volume: this.#record.volumeId }, "a commit did not become a layer");
    }
  }

  /** Whether there was anything; nobody in the container runs. */
  async #publishRest(): Promise<boolean> {
    if (this.#isReadOnly || (await this.#hasNothing())) return false;
    return (await this.#publishLive(alone)) !== undefined;
  }

  async #publishLive(standStill: StandStill, leaves?: (file: WrittenPath) => boolean): Promise<number | undefined> {
    const { number } = await this.#publish([...this.#sealedOwed(), this.#liveUpper()], { standStill, leaves });
    await this.#save({ mounted: { ...this.#record.mounted, isOwed: false } });
    return number;
  }

  async #publish(
    uppers: readonly Upper[],
    { standStill = alone, isStill = Promise.resolve(true), leaves }: Partial<Omit<PublishOptions, "key">> = {},
  ): Promise<Published> {
    const published = await this.#publisher.publish(uppers, {
      key: () => this.#nextKey(),
      standStill,
      isStill,
      leaves,
    });
    await this.#saw(published.number);
    return published;
  }

  async #nextKey(): Promise<string> {
    await this.#save({ commits: this.#record.commits + 1 });
    return `${this.#place.containerId} ${this.#record.commits}`;
  }

  /** The number of a commit of its own. */
  async #saw(number = 0): Promise<void> {
    this.#made = Math.max(this.#made, number);
    const { seen } = this.#record;
    if (number === seen + 1) await this.#save({ seen: number });
    else if (number > seen) await this.#save({ isBehind: true });
  }

  /**
   * Puts another state in the place of the one that is mounted; undefined while its files are in use. `last` is done when
   * nobody in the container runs, and may answer yet another one. `isNewest`: it shows all of its commits.
   */
  async #swap(
    wanted: Mountable,
    { last = async () => wanted, isNewest = false }: { last?: () => Promise<Mountable>; isNewest?: boolean } = {},
  ): Promise<LeftMount | undefined> {
    const { mount } = this.#rootThere();
    const { mounted: before } = this.#record;
    let next = wanted;
    let left: LeftMount | undefined;
    await this.#intend(next.mounted);
    try {
      await mount.prepare(next.mounted, this.#uppers.lowersOf(next));
      await this.#standStill(async () => {
        const then = await last();
        if (then !== next) {
          await this.#forget(next.mounted);
          next = then;
          await this.#intend(next.mounted);
          await mount.prepare(next.mounted, this.#uppers.lowersOf(next));
        }
        left = await mount.swap(before, next.mounted);
      });
    } finally {
      if (left === undefined) await this.#forget(next.mounted);
      else this.#became(next, isNewest);
      await this.#intend(undefined);
    }
    return left;
  }

  /** What was prepared, or begun to be, and is not shown: its number may be another one's now. */
  async #forget(mounted: MountedState): Promise<void> {
    await this.#rootThere().mount.detach(mounted);
    await this.#uppers.throwAway([mounted.upper]);
  }

  #became({ mounted, tree }: Mountable, isNewest: boolean): void {
    const { mounted: old, same } = this.#trees;
    this.#trees = { mounted: tree };
    for (const each of [old, same]) if (each !== undefined && each !== tree) this.#deps.trees.release(each);
    this.#live = undefined;
    this.#folded = undefined;
    this.#record = { ...this.#record, ...(isNewest && { seen: tree.number, isBehind: false }), mounted };
    this.#writeEarly();
  }

  #writeEarly(): void {
    this.#early?.[Symbol.dispose]();
    if (!this.#isReadOnly)
      this.#early = new EarlyWrites(join(this.#uppers.folderOf(this.#record.mounted.upper), "u"), this.#deps);
  }

  async #intend(mounted: MountedState | undefined): Promise<void> {
    this.#intent = mounted;
    await this.#place.save(this.record);
  }

  get #current(): Mountable {
    return { mounted: this.#record.mounted, tree: this.#trees.mounted };
  }

  #liveUpper(): Upper {
    this.#live ??= this.#uppers.of(this.#current, this.#record.mounted.upper, false);
    return this.#live;
  }

  /** Sealed and not published, while the container has gone on. */
  #sealedOwed(of = this.#current): Upper[] {
    return of.mounted.isOwed ? of.mounted.sealed.slice(0, 1).map((upper) => this.#uppers.of(of, upper, true)) : [];
  }

  #lastUppers(of: Mountable): Upper[] {
    return this.#isReadOnly ? [] : [...this.#sealedOwed(of), this.#uppers.of(of, of.mounted.upper, true)];
  }

  async #standStill<T>(work: () => Promise<T>): Promise<T> {
    const frozen = await this.#rootThere().container.freeze();
    try {
      return await work();
    } finally {
      await frozen.thaw();
    }
  }

  #in(container: ContainerRoot): VolumeMount {
    const { mounter } = this.#deps;
    const { volumeId, points } = this.#record;
    const mount = new VolumeMount({ mounter, root: container, volumeId, points, folder: this.#place.folder });
    this.#root = { container, mount };
    return mount;
  }

  #rootThere(): { container: ContainerRoot; mount: VolumeMount } {
    if (this.#root === undefined) throw new PlatformError("the container has not begun");
    return this.#root;
  }

  async #save(changed: Partial<VolumeRecord>): Promise<void> {
    this.#record = { ...this.#record, ...changed };
    await this.#place.save(this.record);
  }

  /** One act after the other. What an act answers is done before the next, and nobody waits for it. */
  #inTurn(act: () => Promise<void | (() => Promise<void>)>): Promise<void> {
    const acted = this.#turn.then(act);
    this.#turn = acted
      .catch(() => {}) // told to the caller
      .then((rest) => rest?.())
      .catch((error: unknown) => {
        const { volumeId: volume } = this.#record;
        this.#deps.logger.warn({ err: error, volume }, "what a commit or a reload leaves could not be put away");
      });
    return acted.then(() => {});
  }
}
