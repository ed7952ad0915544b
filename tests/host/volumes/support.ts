/** Volumes of a worker with their real parts, against the real server's side of them, without containers. */
import { once } from "node:events";
import { mkdir, rm, statfs } from "node:fs/promises";
import { join } from "node:path";

import { Bells, createLogger, idMaker, systemClock } from "@lydian/kit";
import { temporaryFolder } from "@lydian/testkit";

import { limitsSchema } from "@lydian/server/src/config";
import { BlobLinks } from "@lydian/server/src/content/blob-links";
import { BlobUploads } from "@lydian/server/src/content/blob-uploads";
import { ContentStore } from "@lydian/server/src/content/content-store";
import { contentRoutes } from "@lydian/server/src/content/routes";
import type { Store } from "@lydian/server/src/domain/store";
import { createWeb } from "@lydian/server/src/ingress/http";
import { openStore } from "@lydian/server/src/store/sqlite";
import { allBelow } from "@lydian/server/src/volumes/commit";
import { knownVolume } from "@lydian/server/src/volumes/known";
import { settled } from "@lydian/server/src/volumes/owed";
import { getOrCreateVolume } from "@lydian/server/src/volumes/manage";
import { VolumeChanges } from "@lydian/server/src/volumes/volume-changes";
import { volumeWorkerRoutes } from "@lydian/server/src/volumes/worker-routes";
import { Mounter, syncFileSystem } from "@lydian/worker/src/layers/index";
import { MountedVolume, type MountedVolumeDeps } from "@lydian/worker/src/volumes/mounted-volume";
import type { ContainerRoot } from "@lydian/worker/src/volumes/volume-mount";
import { LayerMaker } from "@lydian/worker/src/volumes/layer-maker";
import { OwedCommits, type OwedFrom, usualOwedFrom } from "@lydian/worker/src/volumes/owed-commits";
import { PackReader } from "@lydian/worker/src/volumes/pack-reader";
import { UpperReader } from "@lydian/worker/src/volumes/upper-reader";
import type { VolumePoint, VolumeRecord } from "@lydian/worker/src/volumes/volume-record";
import { VolumeServer } from "@lydian/worker/src/volumes/volume-server";
import { Volumes } from "@lydian/worker/src/volumes/volumes";
import { VolumeTrees } from "@lydian/worker/src/volumes/volume-trees";

export const needsRoot = process.getuid?.() === 0 ? {} : { skip: "mounts need root" };

const log = createLogger("test", "warn");

interface RigOptions {
  folder?: string;
  serverFolder?: string;
  owedFrom?: OwedFrom;
  /** Of the worker's host. */
  boot?: string;
}

/** One volume, and what a worker has of it. */
export class VolumeRig implements AsyncDisposable {
  readonly folder: string;
  readonly volumeId: string;
  readonly deps: MountedVolumeDeps;
  readonly store: Store;
  readonly #bells: Bells;
  readonly #stack: AsyncDisposableStack;
  #containers = 0;

  private constructor(
    folder: string,
    volumeId: string,
    deps: MountedVolumeDeps,
    { store, bells }: { store: Store; bells: Bells },
    stack: AsyncDisposableStack,
  ) {
    this.folder = folder;
    this.volumeId = volumeId;
    this.deps = deps;
    this.store = store;
    this.#bells = bells;
    this.#stack = stack;
  }

  /** `folder`: of the worker; `serverFolder`: for what the server has. Where none is given there is one of its own. */
  static async open(options: RigOptions = {}): Promise<VolumeRig> {
    await using opening = new AsyncDisposableStack();
    const folder = options.folder ?? opening.use(await temporaryFolder()).path;
    const serverFolder = options.serverFolder ?? folder;
    const newId = idMaker(() => Date.now());
    const bells = new Bells();
    const store = openStore(join(serverFolder, "store.sqlite"), bells);
    opening.defer(() => store.close());
    const volume = await store.write(async (tx) => {
      await tx.identity.putEnvironment({ id: "en-1", name: "main", webSuffix: "", createdAt: 0 });
      const wanted = { creation: "ifMissing", name: "data", environment: "main", version: 2, createdBy: "me" } as const;
      return await getOrCreateVolume(tx, wanted, { now: Date.now(), newId });
    });
    const content = await ContentStore.open(join(serverFolder, "content"));
    const isWorker = (): boolean => true;
    const key = Buffer.alloc(32);
    const limits = limitsSchema.parse({});
    const free = async (): Promise<number> => {
      const { bavail, bsize } = await statfs(serverFolder);
      return bavail * bsize;
    };
    const uploads = new BlobUploads({ store: content, folder: join(serverFolder, "uploads"), stored: async () => {} });
    const clock = systemClock;
    const volumeChanges = new VolumeChanges({ store, bells, clock, limits });
    const routes = [
      contentRoutes({ store: content, uploads, links: new BlobLinks(key, Date.now), isWorker }),
      volumeWorkerRoutes({ store, bells, content, limits, clock, volumeChanges, isWorker, free }),
    ];
    const web = await createWeb({ logger: log, routes });
    const doorFile = join(folder, "door");
    await rm(doorFile, { force: true }); // of before a power cut
    web.server.listen(doorFile);
    await once(web.server, "listening");
    opening.defer(async () => {
      web.server.closeAllConnections();
      await web.close();
    });
    const server = new VolumeServer({ doorFile, clock: systemClock });
    const mounter = await Mounter.start();
    opening.defer(() => mounter.close());
    opening.defer(() => mounter.unmountBelow(folder));
    const maker = new LayerMaker();
    const owed = await OwedCommits.open(join(folder, "owed"), {
      ...{ logger: log, sync: syncFileSystem },
      ...(options.boot !== undefined && { boot: options.boot }),
    });
    const trees = await VolumeTrees.open(join(folder, "trees"), { server, owed, logger: log, maker });
    const deps = {
      ...{ server, mounter, trees, maker, logger: log },
      reader: new UpperReader(),
      packs: new PackReader(),
      clock: systemClock,
      owedFrom: options.owedFrom ?? usualOwedFrom,
      throwAway: (path: string) => rm(path, { recursive: true, force: true }),
    };
    const volumes = new Volumes(deps, { clock: systemClock, owed });
    volumes.start();
    opening.defer(() => volumes.close());
    return new VolumeRig(folder, volume.id, deps, { store, bells }, opening.move());
  }

  /** A container that sees the newest state, or one that is not before the commit `head`. */
  async begin(points?: readonly VolumePoint[], deps = this.deps, head?: number): Promise<TestContainer> {
    return await TestContainer.begin(this, { id: `ta-${++this.#containers}`, points, deps, head });
  }

  /** What another worker has, which knows no state yet. */
  async anotherWorker(server = this.deps.server): Promise<MountedVolumeDeps> {
    const { logger } = this.deps;
    const owed = await OwedCommits.open(join(this.folder, "other-owed"), { logger, sync: syncFileSystem });
    const trees = await VolumeTrees.open(join(this.folder, "other"), { server, owed, logger, maker: new LayerMaker() });
    this.#stack.defer(() => trees.close());
    return { ...this.deps, trees };
  }

  /** The files of the newest state, as the server shows them. */
  async files(): Promise<string[]> {
    await settled({ store: this.store, bells: this.#bells, clock: systemClock }, this.volumeId);
    return await this.store.read(async (tx) => {
      const { id, head } = await knownVolume(tx, this.volumeId);
      return (await allBelow((unit) => unit(tx), id, "", head)).flatMap(({ path, kind }) =>
        kind === "folder" ? [] : [path],
      );
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

const usual: readonly VolumePoint[] = [{ path: "/data", readOnly: false, subPath: "" }];

interface TestContainerOptions {
  readonly id: string;
  readonly points?: readonly VolumePoint[] | undefined;
  readonly deps: MountedVolumeDeps;
  readonly head: number | undefined;
}

/** A folder in the place of a container's root; whoever writes in it is the container. */
export class TestContainer {
  readonly id: string;
  readonly folder: string;
  /** Where the volume is seen. */
  readonly data: string;
  readonly #rig: VolumeRig;
  readonly #root: ContainerRoot;
  #saved: VolumeRecord | undefined;
  /** The last thing that it does before it stands still. */
  freezing: () => void = () => {};
  /** Whose files are looked at. */
  readonly processes = [process.pid];
  volume!: MountedVolume;

  private constructor(rig: VolumeRig, id: string) {
    this.#rig = rig;
    this.id = id;
    this.folder = join(rig.folder, id);
    this.data = join(this.folder, "root", "data");
    this.#root = {
      root: join(this.folder, "root"),
      beside: join(this.folder, "beside"),
      idMap: undefined,
      freeze: async () => {
        this.freezing();
        return { thaw: async () => {} };
      },
      thaw: async () => {},
      pids: async () => this.processes,
    };
  }

  static async begin(rig: VolumeRig, { id, points = usual, deps, head }: TestContainerOptions): Promise<TestContainer> {
    const container = new TestContainer(rig, id);
    await mkdir(container.#root.root, { recursive: true });
    container.volume = await MountedVolume.prepare(deps, container.#place, { volumeId: rig.volumeId, points, head });
    await container.#place.save(container.volume.record);
    await container.volume.mount(container.#root);
    return container;
  }

  /** Another worker takes over: it knows what was saved, and nothing else. */
  async restart(deps: MountedVolumeDeps = this.#rig.deps): Promise<void> {
    if (this.#saved === undefined) throw new Error("nothing was saved");
    await this.volume.idle();
    this.volume = await MountedVolume.again(deps, this.#place, this.#saved);
    await this.volume.adopt(this.#root);
  }

  get #place() {
    return {
      containerId: this.id,
      folder: join(this.folder, "uppers"),
      save: async (record: VolumeRecord): Promise<void> => {
        this.#saved = structuredClone(record);
      },
    };
  }
}
