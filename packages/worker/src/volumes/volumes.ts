/** The volumes of this worker's containers: mounted at their start, committed now and then and at their end. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import * as wire from "@lydian/contract/worker";
import { backoffMs, type Clock, type Logger, messageOf, PlatformError, sleep, type Timer } from "@lydian/kit";

import type { ContainerPlace } from "../container/folder.ts";
import { FetchAhead } from "./fetch-ahead.ts";
import type { OwedCommit, OwedCommits } from "./owed-commits.ts";
import { Publisher } from "./publisher.ts";
import { MountedVolume, type MountedVolumeDeps, type WantedVolume } from "./mounted-volume.ts";
import type { ContainerRoot } from "./volume-mount.ts";
import { readVolumes, type VolumePlace, type VolumeRecord, writeVolumes } from "./volume-record.ts";
import { RefusedError } from "./volume-server.ts";

/** Between two commits that nobody asks for. */
const backgroundMs = 5_000;

/** One may come so much later, while much is being written. */
const postponeMs = 1_000;
const mostPostponed = 10;

/** Of the last commit, while the server is away. */
const retry = { initialMs: 500, factor: 2, maxMs: 30_000 };
const lastTries = 30;
const hurriedTries = 1;

/** Writes a line into a container's log. */
type Say = (line: string) => void;

/** Volumes that a container mounts. */
class Held {
  readonly place: ContainerPlace;
  readonly volumes = new Map<string, MountedVolume>();
  timer: Timer | undefined;
  /** How often the next commit that nobody asks for was postponed. */
  postponed = 0;
  #saved: Promise<void> = Promise.resolve();

  constructor(place: ContainerPlace) {
    this.place = place;
  }

  get folder(): string {
    return join(this.place.folder, "volumes");
  }

  /** One write after the other, each of all that is known then. */
  save(): Promise<void> {
    const write = (): Promise<void> =>
      writeVolumes(
        this.place.folder,
        [...this.volumes.values()].map(({ record }) => record),
      );
    const saved = this.#saved.then(write);
    this.#saved = saved.catch(() => {}); // told to the caller
    return saved;
  }
}

export class Volumes {
  readonly #deps: MountedVolumeDeps;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #held = new Map<string, Held>();
  readonly #ahead: FetchAhead;
  #tries = lastTries;
  readonly #closed = new AbortController();

  readonly #owed: OwedCommits;

  constructor(deps: MountedVolumeDeps, { clock, owed }: { clock: Clock; owed: OwedCommits }) {
    this.#deps = deps;
    this.#clock = clock;
    this.#logger = deps.logger;
    this.#owed = owed;
    this.#ahead = new FetchAhead({ trees: deps.trees, logger: deps.logger, clock });
  }

  /** Makes the commits that have returned and whose containers are gone, with the boot in which they were. */
  start(): void {
    void this.#patiently(() => this.#deps.server.owes(this.#owed.keys), "the server does not hear what is owed to it");
    for (const commit of this.#owed.orphans) this.#payFor(commit);
  }

  /** Brings what the container is to see; what is answered mounts it, before anything runs in the root. */
  async prepare(
    place: ContainerPlace,
    mounts: readonly wire.VolumeMount[],
  ): Promise<(root: ContainerRoot) => Promise<void>> {
    this.discard(place.id);
    const held = new Held(place);
    this.#held.set(place.id, held);
    await mkdir(held.folder, { recursive: true, mode: 0o700 });
    await allOf(wantedBy(mounts).map((wanted) => this.#prepare(held, wanted)));
    return async (root) => {
      // Nothing of the container runs before both are done.
      await allOf([held.save(), ...[...held.volumes.values()].map((volume) => volume.mount(root))]);
      this.#commitLater(held);
    };
  }

  /** Goes on with a container of a worker before. Without a root nothing of it runs any more. */
  async adopt(place: ContainerPlace, root: ContainerRoot | undefined): Promise<void> {
    const records = (await readVolumes(place.folder)) ?? [];
    if (records.length === 0) return;
    const held = new Held(place);
    this.#held.set(place.id, held);
    for (const record of records) {
      held.volumes.set(record.volumeId, await this.#again(held, record));
    }
    if (root === undefined) return;
    for (const volume of held.volumes.values()) await volume.adopt(root);
    this.#commitLater(held);
  }

  async act(
    containerId: string,
    { volumeId, act, head }: Pick<wire.VolumeDo, "volumeId" | "act" | "head">,
  ): Promise<void> {
    const volume = this.#held.get(containerId)?.volumes.get(volumeId);
    if (volume === undefined) {
      throw new RefusedError("this container does not mount it", {
        hint: "name it among the `volumes` of the function",
      });
    }
    if (act === wire.VolumeDo_Act.COMMIT) await volume.commit();
    else if (act === wire.VolumeDo_Act.RELOAD) {
      this.#ahead.asked(volumeId);
      await volume.reload(Number(head));
    }
  }

  /** Others have changed it. */
  changed({ volumeId, head }: Pick<wire.VolumeChanged, "volumeId" | "head">): void {
    void this.#ahead.changed(volumeId, Number(head));
  }

  /** The last commits of a container whose processes are gone; what cannot be committed is told in its log. */
  async finish(place: ContainerPlace, say: Say): Promise<void> {
    const held = this.#held.get(place.id);
    if (held === undefined) return;
    held.timer?.[Symbol.dispose]();
    for (const [volumeId, volume] of held.volumes) {
      try {
        await this.#finish(volume);
      } catch (error) {
        this.#logger.warn({ err: error, container: place.id, volume: volumeId }, "a last commit failed");
        say(`What was written to volume ${volumeId} since its last commit is lost: ${messageOf(error)}`);
        const owed = this.#deps.trees.owedBy(place.id, volumeId);
        if (owed !== undefined) this.#payFor(await this.#owed.leave(owed));
      }
    }
    this.discard(place.id);
    await this.#deps.throwAway(held.folder);
  }

  /** Nothing of it is wanted. */
  discard(containerId: string): void {
    const held = this.#held.get(containerId);
    held?.timer?.[Symbol.dispose]();
    for (const volume of held?.volumes.values() ?? []) volume.release();
    this.#held.delete(containerId);
  }

  /** The worker is to end: a server that is away is not waited for. */
  hurry(): void {
    this.#tries = hurriedTries;
  }

  /** Leaves the containers as they are, for the next worker. */
  async close(): Promise<void> {
    this.#closed.abort(new PlatformError("the worker ends"));
    this.#ahead.close();
    for (const { timer } of this.#held.values()) timer?.[Symbol.dispose]();
    this.#deps.server.close();
    await this.#deps.reader[Symbol.asyncDispose]();
    await this.#deps.packs[Symbol.asyncDispose]();
    await this.#deps.trees.close();
  }

  async #finish(volume: MountedVolume): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        return await volume.finish();
      } catch (error) {
        if (error instanceof RefusedError || tries >= this.#tries) throw error;
        await sleep(this.#clock, backoffMs(retry, tries), this.#closed.signal);
      }
    }
  }

  /** In the place of its container, which is gone. */
  #payFor(commit: OwedCommit): void {
    const { volumeId, containerId } = commit;
    const publisher = new Publisher(this.#deps, volumeId, containerId);
    void this.#patiently(async () => {
      const { state } = await publisher.pay(commit, async () => {});
      const tree = await state;
      if (tree !== undefined) this.#deps.trees.release(tree);
      await this.#owed.paid(commit);
    }, `a commit to volume ${volumeId} that has returned is not made yet`);
  }

  /** Until it is done. */
  async #patiently(act: () => Promise<void>, failure: string): Promise<void> {
    for (let tries = 1; !this.#closed.signal.aborted; tries++) {
      try {
        return await act();
      } catch (error) {
        if (this.#closed.signal.aborted) return;
        this.#logger.warn({ err: error }, failure);
        await sleep(this.#clock, backoffMs(retry, tries), this.#closed.signal).catch(() => {}); // it ends
      }
    }
  }

  #commitLater(held: Held): void {
    held.timer = this.#clock
      .timer(held.postponed > 0 ? postponeMs : backgroundMs, () => void this.#commitAll(held))
      .unref();
  }

  async #commitAll(held: Held): Promise<void> {
    let isDone = true;
    for (const [volumeId, volume] of held.volumes) {
      try {
        if (!(await volume.commitUnasked(held.postponed < mostPostponed))) isDone = false;
      } catch (error) {
        const { id: container } = held.place;
        this.#logger.warn({ err: error, container, volume: volumeId }, "a commit that nobody asked for failed");
      }
    }
    held.postponed = isDone ? 0 : held.postponed + 1;
    if (this.#held.get(held.place.id) === held && !this.#closed.signal.aborted) this.#commitLater(held);
  }

  async #prepare(held: Held, { volumeId, points, head }: WantedVolume): Promise<void> {
    await mkdir(join(held.folder, volumeId), { recursive: true, mode: 0o700 });
    const heard = this.#ahead.asked(volumeId);
    const wanted = { volumeId, points, ...(head !== undefined && { head: Math.max(head, heard) }) };
    held.volumes.set(volumeId, await MountedVolume.prepare(this.#deps, this.#placeOf(held, volumeId), wanted));
  }

  async #again(held: Held, record: VolumeRecord): Promise<MountedVolume> {
    return await MountedVolume.again(this.#deps, this.#placeOf(held, record.volumeId), record);
  }

  #placeOf(held: Held, volumeId: string): VolumePlace {
    return { containerId: held.place.id, folder: join(held.folder, volumeId), save: () => held.save() };
  }
}

function wantedBy(mounts: readonly wire.VolumeMount[]): WantedVolume[] {
  const volumes = new Map<string, WantedVolume>();
  for (const { volumeId, path, readOnly, subPath, head } of mounts) {
    if (!/^vo-[A-Za-z0-9]{1,64}$/.test(volumeId)) throw new PlatformError(`${JSON.stringify(volumeId)} is no volume`);
    const points = [...(volumes.get(volumeId)?.points ?? []), { path, readOnly, subPath }];
    volumes.set(volumeId, { volumeId, points, ...(head !== undefined && { head: Number(head) }) });
  }
  return [...volumes.values()];
}

/** Rejects when all have ended, and one has failed. */
async function allOf(acts: readonly Promise<void>[]): Promise<void> {
  for (const act of await Promise.allSettled(acts)) if (act.status === "rejected") throw act.reason;
}
