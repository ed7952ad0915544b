/**
 * One volume in one container: its acts, one after the other. What it sees of the volume is its view's (volume-view.ts), what others
 * get to see of its writes that of its commits (volume-commits.ts). A reload mounts the newest state under an empty upper.
 */
import { type HeldTrees, type Mountable, on, treesAgain } from "./mounted-state.ts";
import { inUse, refuseInUse } from "./open-files.ts";
import { isBusy, isLeft } from "./unasked.ts";
import { VolumeCommits, type VolumeCommitsDeps } from "./volume-commits.ts";
import type { ContainerRoot } from "./volume-mount.ts";
import type { VolumePlace, VolumePoint, VolumeRecord } from "./volume-record.ts";
import { nextUpper, VolumeView } from "./volume-view.ts";

export type MountedVolumeDeps = VolumeCommitsDeps;

/** Which volume a container mounts, and where. */
export interface WantedVolume {
  readonly volumeId: string;
  readonly points: readonly VolumePoint[];
  /** A commit that it must see, where one is known that is the newest; a worker that has it asks nobody. */
  readonly head?: number | undefined;
}

export class MountedVolume {
  readonly #deps: MountedVolumeDeps;
  readonly #view: VolumeView;
  readonly #commits: VolumeCommits;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(deps: MountedVolumeDeps, place: VolumePlace, record: VolumeRecord, trees: HeldTrees) {
    this.#deps = deps;
    this.#view = new VolumeView(deps, place, record, trees);
    this.#commits = new VolumeCommits(deps, this.#view, place.containerId);
  }

  /** The newest state, for a container that is about to start. */
  static async prepare(
    deps: MountedVolumeDeps,
    place: VolumePlace,
    { volumeId, points, head }: WantedVolume,
  ): Promise<MountedVolume> {
    const tree = await deps.trees.newest(volumeId, head);
    const record = { volumeId, points, mounted: on(tree, 0), seen: tree.number, isBehind: false, commits: 0 };
    return new MountedVolume(deps, place, record, { mounted: tree });
  }

  /** What a worker before had mounted, or was about to. */
  static async again(deps: MountedVolumeDeps, place: VolumePlace, record: VolumeRecord): Promise<MountedVolume> {
    return new MountedVolume(deps, place, record, await treesAgain(deps.trees, record));
  }

  get record(): VolumeRecord {
    return this.#view.record;
  }

  mount(container: ContainerRoot): Promise<void> {
    return this.#view.mount(container);
  }

  /** Goes on with a container that runs; what a worker before has not finished is, or is undone. */
  async adopt(container: ContainerRoot): Promise<void> {
    await this.#view.adopt(container);
    this.#inTurn(async () => void (await this.#commits.pay())).catch((error: unknown) => {
      const { volumeId: volume } = this.record;
      this.#deps.logger.warn({ err: error, volume }, "a commit that has returned is not made yet");
    });
  }

  /** Resolves when all is done that was begun, also what nobody waits for. */
  async idle(): Promise<void> {
    await this.#turn;
  }

  /** Publishes what the container has written. */
  commit(): Promise<void> {
    return this.#inTurn(() => this.#commits.commit());
  }

  /**
   * Publishes it without being asked: who asks soon must not have to wait for that. So what is written to just now is left for
   * another time: all of it when that `mayWait`, then answers false; else large files.
   */
  async commitUnasked(mayWait: boolean): Promise<boolean> {
    let isDone = true;
    await this.#inTurn(async () => {
      const now = this.#deps.clock.now();
      if (mayWait && !this.#view.isReadOnly && !(await this.#commits.hasNothing())) {
        isDone = !isBusy(await this.#commits.readLive(), now);
      }
      if (!isDone) return undefined;
      return await this.#commits.commit((file) => isLeft(file, now));
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
        await this.#commits.commit()
      )?.();
      return await this.#showNewest(head);
    });
  }

  /** The last commit, of a container whose processes are gone. */
  finish(): Promise<void> {
    return this.#inTurn(() => this.#commits.finish());
  }

  release(): void {
    this.#view.release();
  }

  /** Answers what is to be done when the caller knows. */
  async #showNewest(head?: number): Promise<(() => Promise<void>) | undefined> {
    const [view, commits, { trees }] = [this.#view, this.#commits, this.#deps];
    const { mounted: before, seen, volumeId } = view.record;
    const uppers = [before.upper, ...commits.sealedAndFolded];
    const newest = async (head?: number): Promise<Mountable> => {
      const tree = await trees.newest(volumeId, head);
      return { tree, mounted: on(tree, nextUpper(before)) };
    };
    let next = await newest(head === undefined ? undefined : Math.max(head, commits.newest));
    let isShown = false;
    try {
      if (next.tree.number === seen) {
        await refuseInUse(view.container, await view.device());
        return undefined;
      }
      const last = async (): Promise<Mountable> => {
        if (await commits.publishRest()) {
          trees.release(next.tree);
          next = await newest();
        }
        return next;
      };
      const left = await view.swap(next, { last, isNewest: true });
      if (left === undefined) throw await inUse(view.container, await view.device());
      isShown = true;
      return async () => {
        await view.save({});
        await left.end();
        await view.uppers.throwAway(uppers);
      };
    } finally {
      if (!isShown) trees.release(next.tree);
    }
  }

  /** One act after the other. What an act answers is done before the next, and nobody waits for it. */
  #inTurn(act: () => Promise<void | (() => Promise<void>)>): Promise<void> {
    const acted = this.#turn.then(act);
    this.#turn = acted
      .catch(() => {}) // told to the caller
      .then((rest) => rest?.())
      .catch((error: unknown) => {
        const { volumeId: volume } = this.record;
        this.#deps.logger.warn({ err: error, volume }, "what a commit or a reload leaves could not be put away");
      });
    return acted.then(() => {});
  }
}
