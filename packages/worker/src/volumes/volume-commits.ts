/**
 * Commits of one container to a volume. A commit seals the upper that the container writes to, which never changes again, and lets
 * it go on with an empty one: it stands still only while one mount takes another one's place. Then the sealed upper is published.
 * The kernel refuses that while anything in the container uses the mount; then the mount is left as it is, what the upper has is
 * published while the container goes on, and what has changed meanwhile while it stands still.
 */
import { readdir } from "node:fs/promises";
import { join } from "node:path";

import type { LeftMount } from "../layers/index.ts";
import { changesNothing } from "./change.ts";
import type { Difference, WrittenPath } from "./difference.ts";
import { on } from "./mounted-state.ts";
import { mayBeOwed, type OwedFrom, sizeOf } from "./owed-commits.ts";
import { type Published, Publisher, type PublisherDeps, type PublishOptions, type StandStill } from "./publisher.ts";
import type { Upper } from "./upper.ts";
import type { Tree } from "./volume-trees.ts";
import { nextUpper, type VolumeView, type VolumeViewDeps } from "./volume-view.ts";

export interface VolumeCommitsDeps extends PublisherDeps, VolumeViewDeps {
  readonly owedFrom: OwedFrom;
}

const alone: StandStill = (work) => work();

/** With more of them the kernel takes longer to find a name. */
const mostSealed = 8;

/** So many are made one when no state shows what they do. */
const foldedFrom = 6;

/** How often a commit asks whether its upper may be sealed: most files are open for a moment. */
const sealTries = 3;

export class VolumeCommits {
  readonly #deps: VolumeCommitsDeps;
  readonly #view: VolumeView;
  readonly #containerId: string;
  readonly #publisher: Publisher;
  /** Shows what these sealed uppers show together; its number lies between theirs and the live one's. */
  #folded: { readonly upper: number; readonly sealed: readonly number[] } | undefined;
  #newest = 0;

  constructor(deps: VolumeCommitsDeps, view: VolumeView, containerId: string) {
    this.#deps = deps;
    this.#view = view;
    this.#containerId = containerId;
    this.#publisher = new Publisher(deps, view.record.volumeId, containerId);
  }

  /** The newest one that was made since the worker began. */
  get newest(): number {
    return this.#newest;
  }

  /** What is below the live upper and no state's. */
  get sealedAndFolded(): number[] {
    return [...this.#view.record.mounted.sealed, ...this.#foldedOfSealed];
  }

  /** Of what was written but what it `leaves` for another one. Answers what is to be done when the caller knows. */
  async commit(leaves?: (file: WrittenPath) => boolean): Promise<(() => Promise<void>) | undefined> {
    const view = this.#view;
    await this.pay();
    if (view.isReadOnly || (await this.hasNothing())) return undefined;
    const before = this.sealedAndFolded;
    const left = view.record.mounted.isOwed ? undefined : await this.#seal();
    if (left === undefined) {
      await this.#publishLive((work) => view.standStill(work), leaves);
      return undefined;
    }
    const isStill = left.end();
    isStill.catch(() => {}); // told to who needs it
    const rest = async (state: Promise<Tree | undefined>): Promise<void> => {
      await view.uppers.throwAway(before.filter((upper) => !view.record.mounted.sealed.includes(upper)));
      await this.#learn(state);
      if (view.same === undefined) await this.#fold();
    };
    if (await this.#mayOwe(isStill)) {
      return async () => {
        const paid = await this.pay();
        if (paid !== undefined) await rest(paid.state);
      };
    }
    const { state } = await this.#publish(view.sealedOwed(), { isStill });
    await view.saveMounted({ isOwed: false });
    return () => rest(state);
  }

  /** Whether there was anything that no commit had; nobody in the container runs. */
  async publishRest(): Promise<boolean> {
    if (this.#view.isReadOnly || (await this.hasNothing())) return false;
    return (await this.#publishLive(alone)) !== undefined;
  }

  /** The last one, of a container whose processes are gone. */
  async finish(): Promise<void> {
    await this.pay();
    // Nobody may know which of two views it was when it ended.
    for (const uppers of this.#view.lastUppers()) {
      const { state } = await this.#publish(uppers);
      const made = await state;
      if (made !== undefined) this.#deps.trees.release(made);
    }
  }

  /** Makes the commit that has returned before it was made, if there is one. */
  async pay(): Promise<Published | undefined> {
    const { trees, logger } = this.#deps;
    const { volumeId } = this.#view.record;
    const owed = trees.owedBy(this.#containerId, volumeId);
    if (owed === undefined) return undefined;
    return await this.#publisher.pay(owed, async (number) => {
      if (number === undefined)
        logger.warn({ volume: volumeId }, "a volume was deleted before its last commit was here");
      await this.#view.saveMounted({ isOwed: false });
      await this.#saw(number);
      await trees.paid(owed); // not before: what is not owed and not published would be published again
    });
  }

  async hasNothing(): Promise<boolean> {
    const { mounted } = this.#view.record;
    if (mounted.isOwed) return false;
    if ((await readdir(join(this.#view.uppers.folderOf(mounted.upper), "u"))).length === 0) return true;
    const live = this.#view.liveUpper();
    // A container that could not be asked to stand aside has often nothing new.
    return (await live.isKnown()) && changesNothing(await live.changeOf(await live.read()));
  }

  /** What the container has written since its last seal. */
  readLive(): Promise<Difference> {
    return this.#view.liveUpper().read();
  }

  /** Gives the container an empty upper on that which it has written; undefined while its files are in use. */
  async #seal(): Promise<LeftMount | undefined> {
    const view = this.#view;
    const { mounted } = view.record;
    const [folded] = this.#foldedOfSealed;
    const ofItsOwn = folded === undefined ? mounted.sealed : [folded];
    const below = view.same === undefined ? ofItsOwn : [];
    if (below.length >= mostSealed) return undefined;
    const tree = view.same ?? view.current.tree;
    const next = {
      tree,
      mounted: { ...on(tree, nextUpper(mounted)), sealed: [mounted.upper, ...below], isOwed: true },
    };
    let left: LeftMount | undefined;
    for (let tries = 1; left === undefined && tries <= sealTries; tries++) left = await view.swap(next);
    return left;
  }

  /** Whether what was sealed last may be sent when its commit has returned: it is safe on this disk then. */
  async #mayOwe(isStill: Promise<boolean>): Promise<boolean> {
    const { trees, owedFrom } = this.#deps;
    const [upper] = this.#view.sealedOwed();
    if (upper === undefined) return false;
    const change = await upper.changeOf(await upper.read());
    const size = sizeOf(change);
    if (changesNothing(change) || change.tooLong !== undefined) return false;
    if (!mayBeOwed(change, size, { upper: upper.folder, from: owedFrom }) || !(await isStill)) return false;
    const { volumeId } = this.#view.record;
    const key = await this.#nextKey();
    return await trees.owe({ volumeId, containerId: this.#containerId, key, upper: upper.folder, change }, size);
  }

  /** At most one. */
  get #foldedOfSealed(): number[] {
    const { sealed } = this.#view.record.mounted;
    return this.#folded?.sealed === sealed ? [this.#folded.upper] : [];
  }

  /** Or nothing could be sealed any more after a while. */
  async #fold(): Promise<void> {
    const { sealed, upper: live } = this.#view.record.mounted;
    const upper = live - 1;
    if (sealed.length < foldedFrom || sealed.includes(upper)) return;
    if (await this.#view.uppers.fold(this.#view.current, upper)) this.#folded = { upper, sealed };
  }

  /** The state that a commit has led to shows the same as the container sees, unless others' commits came between. */
  async #learn(state: Promise<Tree | undefined>): Promise<void> {
    const { trees, logger } = this.#deps;
    const { volumeId } = this.#view.record;
    try {
      const { seen, isBehind } = this.#view.record;
      const tree = (await state) ?? (isBehind ? undefined : await trees.known(volumeId, seen));
      if (tree === undefined) return;
      if (isBehind || tree.number !== seen) return trees.release(tree);
      await this.#view.shows(tree);
    } catch (error) {
      // What is sealed is kept until the next reload then.
      logger.warn({ err: error, volume: volumeId }, "a commit did not become a layer");
    }
  }

  async #publishLive(standStill: StandStill, leaves?: (file: WrittenPath) => boolean): Promise<number | undefined> {
    const { number } = await this.#publish([...this.#view.sealedOwed(), this.#view.liveUpper()], {
      standStill,
      leaves,
    });
    await this.#view.saveMounted({ isOwed: false });
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
    await this.#view.save({ commits: this.#view.record.commits + 1 });
    return `${this.#containerId} ${this.#view.record.commits}`;
  }

  /** The number of a commit of its own. */
  async #saw(number = 0): Promise<void> {
    this.#newest = Math.max(this.#newest, number);
    const { seen } = this.#view.record;
    if (number === seen + 1) await this.#view.save({ seen: number });
    else if (number > seen) await this.#view.save({ isBehind: true });
  }
}
