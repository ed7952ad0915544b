/**
 * One volume in one container: what it sees of it, and how it comes to see something else.
 *
 * It sees a state, on it uppers that are sealed, and on these an upper of its own. A commit seals that upper, which never
 * changes again, and goes on with an empty one: the container stands still only while one mount takes another one's place.
 * Then the sealed upper is published. The kernel refuses that while anything in the container uses the mount; then the
 * mount is left as it is, what the upper has is published while the container goes on, and what has changed meanwhile
 * while it stands still. A reload mounts the newest state under an empty upper.
 */
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";

import { type Logger, PlatformError } from "@lydian/kit";

import type { Layer, Mounter } from "../layers/index.ts";
import { changesNothing } from "./change.ts";
import { usedFile } from "./open-files.ts";
import { type Published, Publisher, type PublisherDeps, type StandStill } from "./publisher.ts";
import { Upper } from "./upper.ts";
import { type ContainerRoot, VolumeMount } from "./volume-mount.ts";
import type { KnownState, MountedState, VolumePoint, VolumeRecord } from "./volume-record.ts";
import type { Tree } from "./volume-trees.ts";

export interface MountedVolumeDeps extends PublisherDeps {
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

/** With more of them the kernel takes longer to find a name. */
const mostSealed = 8;

/** How often a commit asks whether its upper may be sealed: most files are open for a moment. */
const sealTries = 3;

/** States of the volume that are held. */
interface Trees {
  readonly mounted: Tree;
  /** Shows what the sealed uppers on the mounted one show. */
  readonly same?: Tree;
  /** Of what was mounted before, when nobody knows which of the two is. */
  readonly before?: Tree | undefined;
}

/** What is to be mounted, on its state. */
interface Next {
  readonly mounted: MountedState;
  readonly tree: Tree;
}

export class MountedVolume {
  readonly #deps: MountedVolumeDeps;
  readonly #place: VolumePlace;
  readonly #publisher: Publisher;
  #record: VolumeRecord;
  /** While it takes the place of what is mounted. */
  #intent: MountedState | undefined;
  #trees: Trees;
  /** The upper that the container writes to; undefined until it is asked about. */
  #live: Upper | undefined;
  #root: { container: ContainerRoot; mount: VolumeMount } | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(deps: MountedVolumeDeps, place: VolumePlace, record: VolumeRecord, trees: Trees) {
    this.#deps = deps;
    this.#place = place;
    this.#record = record;
    this.#trees = trees;
    this.#publisher = new Publisher(deps, record.volumeId, place.containerId);
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
    return new MountedVolume(deps, place, record, await treesOf(deps, record));
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
    await this.#in(container).mount(mounted, this.#lowersOf(mounted, this.#trees.mounted));
  }

  /**
   * Goes on with a container that runs, or stands still since a worker before died while it swapped mounts, which is then
   * finished or undone: until all is whole again nothing in the container may go on.
   */
  async adopt(container: ContainerRoot): Promise<void> {
    const mount = this.#in(container);
    const { before } = this.#record;
    if (before !== undefined && mount.isThere(before)) {
      // It was not given up: something may be open in it.
      const trees = await treesOf(this.#deps, { ...this.#record, mounted: before, before: undefined });
      this.release();
      this.#trees = trees;
      await this.#save({ mounted: before });
      if (!mount.isWhole(before)) await this.#standStill(() => mount.showMissing(before));
    } else if (!mount.isWhole(this.#record.mounted)) {
      const { mounted } = this.#record;
      await this.#standStill(async () => {
        await mount.detach(mounted);
        await mount.mount(mounted, this.#lowersOf(mounted, this.#trees.mounted));
      });
    }
    if (before !== undefined) await this.#save({ before: undefined });
    if (this.#trees.before !== undefined) this.#deps.trees.release(this.#trees.before);
    this.#trees = { ...this.#trees, before: undefined };
    await container.thaw();
  }

  /** Publishes what the container has written. */
  commit(): Promise<void> {
    return this.#inTurn(() => this.#commit());
  }

  /** Shows the container the newest state; throws a PlatformError while its files are open. */
  reload(): Promise<void> {
    return this.#inTurn(async () => {
      await (
        await this.#commit()
      )?.();
      const { trees } = this.#deps;
      const { volumeId } = this.#record;
      let tree = await trees.newest(volumeId);
      if (tree.number === this.#record.seen) return trees.release(tree);
      const upper = this.#record.mounted.upper + 1;
      const before = this.#uppersOf(this.#record.mounted);
      const isDone = await this.#swap(on(tree, upper), async () => {
        if (await this.#publishRest()) {
          trees.release(tree);
          tree = await trees.newest(volumeId);
        }
        return { mounted: on(tree, upper), tree };
      });
      if (!isDone) {
        trees.release(tree);
        throw await this.#inUse();
      }
      await this.#save({ seen: tree.number, isBehind: false });
      await this.#throwAway(before);
    });
  }

  /** The last commit, of a container whose processes are gone. */
  finish(): Promise<void> {
    return this.#inTurn(async () => {
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
    for (const tree of Object.values(this.#trees) as (Tree | undefined)[]) if (tree) this.#deps.trees.release(tree);
  }

  /** Answers what is to be done when the caller knows. */
  async #commit(): Promise<(() => Promise<void>) | undefined> {
    if (this.#isReadOnly || (await this.#hasNothing())) return undefined;
    if (this.#record.mounted.isOwed || !(await this.#seal())) {
      await this.#publishLive((work) => this.#standStill(work));
      return undefined;
    }
    const { state } = await this.#publish(this.#owed());
    await this.#save({ mounted: { ...this.#record.mounted, isOwed: false } });
    return () => this.#learn(state);
  }

  async #hasNothing(): Promise<boolean> {
    const { mounted } = this.#record;
    if (mounted.isOwed) return false;
    if ((await readdir(join(this.#folderOf(mounted.upper), "u"))).length === 0) return true;
    const live = this.#liveUpper();
    // A container that could not be asked to stand aside has often nothing new.
    return (await live.isKnown()) && changesNothing(await live.changeOf(await live.read()));
  }

  /** Gives the container an empty upper on that which it has written; whether it did: not while its files are in use. */
  async #seal(): Promise<boolean> {
    const { mounted } = this.#record;
    const { same, mounted: tree } = this.#trees;
    if (same === undefined && mounted.sealed.length >= mostSealed) return false;
    const sealed = same === undefined ? [mounted.upper, ...mounted.sealed] : [mounted.upper];
    const next = { ...on(same ?? tree, mounted.upper + 1), sealed, isOwed: true };
    for (let tries = 1; tries <= sealTries; tries++) {
      if (!(await this.#swap(next, async () => ({ mounted: next, tree: same ?? tree })))) continue;
      if (same !== undefined) await this.#throwAway(mounted.sealed);
      return true;
    }
    return false;
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

  async #publishLive(standStill: StandStill): Promise<number | undefined> {
    const { number } = await this.#publish([...this.#owed(), this.#liveUpper()], standStill);
    await this.#save({ mounted: { ...this.#record.mounted, isOwed: false } });
    return number;
  }

  async #publish(uppers: readonly Upper[], standStill = alone): Promise<Published> {
    const key = async (): Promise<string> => {
      await this.#save({ commits: this.#record.commits + 1 });
      return `${this.#place.containerId} ${this.#record.commits}`;
    };
    const published = await this.#publisher.publish(uppers, key, standStill);
    const { number = 0 } = published;
    const { seen } = this.#record;
    if (number === seen + 1) await this.#save({ seen: number });
    else if (number > seen) await this.#save({ isBehind: true });
    return published;
  }

  /**
   * Puts another state in the place of the one that is mounted; whether it did: not while its files are in use. `next`
   * answers which, when nobody in the container runs; `likely` is it, or like it but for its state.
   */
  async #swap(likely: MountedState, next: () => Promise<Next>): Promise<boolean> {
    const { mount } = this.#rootThere();
    const { mounted: before } = this.#record;
    await this.#throwAway([likely.upper]); // of a try before
    await mkdir(this.#folderOf(likely.upper), { recursive: true, mode: 0o700 });
    await mount.make(likely);
    await this.#intend(likely);
    try {
      const done = await this.#standStill(async () => {
        const { mounted, tree } = await next();
        if (mounted !== likely) await this.#intend(mounted);
        const isDone = await mount.swap(before, { mounted, lowers: this.#lowersOf(mounted, tree) });
        return isDone ? { mounted, tree } : undefined;
      });
      if (done === undefined) return false;
      const { mounted: old, same } = this.#trees;
      this.#trees = { mounted: done.tree };
      for (const tree of [old, same]) if (tree !== undefined && tree !== done.tree) this.#deps.trees.release(tree);
      this.#live = undefined;
      this.#record = { ...this.#record, mounted: done.mounted };
      return true;
    } finally {
      await this.#intend(undefined);
    }
  }

  async #intend(mounted: MountedState | undefined): Promise<void> {
    this.#intent = mounted;
    await this.#place.save(this.record);
  }

  async #inUse(): Promise<PlatformError> {
    const { container, mount } = this.#rootThere();
    const used = usedFile(await container.pids(), await mount.deviceOf(this.#record.mounted));
    return new PlatformError(`there are open files preventing the operation${used === "" ? "" : `: ${used}`}`, {
      hint: "close them, and reload again",
    });
  }

  #liveUpper(): Upper {
    this.#live ??= this.#upper({ mounted: this.#record.mounted, tree: this.#trees.mounted }, "live");
    return this.#live;
  }

  /** Sealed and not published, while the container has gone on. */
  #owed(): Upper[] {
    return this.#owedIn({ mounted: this.#record.mounted, tree: this.#trees.mounted });
  }

  #lastUppers(of: Next): Upper[] {
    return this.#isReadOnly ? [] : [...this.#owedIn(of), this.#upper(of, "ended")];
  }

  #owedIn(of: Next): Upper[] {
    return of.mounted.isOwed ? [this.#upper(of, "sealed")] : [];
  }

  #upper({ mounted, tree }: Next, which: "sealed" | "live" | "ended"): Upper {
    const numbers = which === "sealed" ? mounted.sealed : [mounted.upper, ...mounted.sealed];
    const [number = 0, ...below] = numbers;
    const layers = [...below.map((each) => join(this.#folderOf(each), "u")), ...tree.layers.map(({ diff }) => diff)];
    const place = { volumeId: tree.volumeId, folder: this.#folderOf(number), isFixed: which !== "live" };
    return new Upper(this.#deps, { ...place, stack: { layers, uppers: below.length } });
  }

  #lowersOf({ sealed }: MountedState, { layers }: Tree): Layer[] {
    return [...sealed.map((each) => ({ id: `upper ${each}`, diff: join(this.#folderOf(each), "u") })), ...layers];
  }

  #uppersOf({ upper, sealed }: MountedState): number[] {
    return [upper, ...sealed];
  }

  #folderOf(upper: number): string {
    return join(this.#place.folder, String(upper));
  }

  async #throwAway(uppers: readonly number[]): Promise<void> {
    for (const upper of uppers) await this.#deps.throwAway(this.#folderOf(upper));
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
    this.#turn = acted.then((rest) => rest?.()).catch(() => {}); // told to the caller
    return acted.then(() => {});
  }
}

const knownOf = ({ number, layers }: Tree): KnownState => ({ number, layers: layers.map(({ id }) => id) });

/** An empty upper on a state. */
function on(tree: Tree, upper: number): MountedState {
  return { upper, state: knownOf(tree), sealed: [], isOwed: false };
}

async function treesOf({ trees }: MountedVolumeDeps, { volumeId, mounted, before }: VolumeRecord): Promise<Trees> {
  const again = ({ number, layers }: KnownState): Promise<Tree | undefined> => trees.again(volumeId, number, layers);
  const tree = await again(mounted.state);
  if (tree === undefined) throw new PlatformError(`the layers of volume ${volumeId} are gone`);
  const same = mounted.same && (await again(mounted.same));
  const old = before && (await again(before.state));
  return { mounted: tree, ...(same && { same }), ...(old && { before: old }) };
}
