/** Puts the runtime `runc` together: layers, images, mounts, networks and control groups of this platform on this host. */
import { createHash } from "node:crypto";
import { mkdir, readFile, stat } from "node:fs/promises";
import http from "node:http";
import { join } from "node:path";

import { idMaker } from "@lydian/kit";

import type { BuildHost } from "../../builds/build.ts";
import { Images } from "../../builds/images.ts";
import { makeImage, type RecipeHost } from "../../builds/recipe.ts";
import { Buckets } from "../../buckets/buckets.ts";
import { Collector } from "../../collect/collector.ts";
import { Cgroups } from "../../cgroups/cgroups.ts";
import type { WorkerConfig } from "../../config.ts";
import { diskGauge } from "../../disk/disk-gauge.ts";
import { MountLayers } from "../../container/mount-layers.ts";
import { DiskGuard } from "../../disk/disk-guard.ts";
import { containerSettings, openHostStore } from "../../images/index.ts";
import { Mounter, syncFileSystem } from "../../layers/index.ts";
import { NetworkPool } from "../../network/network-pool.ts";
import { LayerMaker } from "../../volumes/layer-maker.ts";
import { OwedCommits, usualOwedFrom } from "../../volumes/owed-commits.ts";
import { PackReader } from "../../volumes/pack-reader.ts";
import { UpperReader } from "../../volumes/upper-reader.ts";
import { VolumeServer } from "../../volumes/volume-server.ts";
import { VolumeTrees } from "../../volumes/volume-trees.ts";
import { Volumes } from "../../volumes/volumes.ts";
import { Trash } from "./trash.ts";
import type { OpenRuntime, RuntimeParts } from "../open-runtime.ts";
import { HostPlaces } from "./host-place.ts";
import { RuncRuntime, trashFolder } from "./runc-runtime.ts";

/** Networks that wait ready: a slot takes longer to make than a container to start. */
export const networksReady = 4;

type RuncConfig = Extract<WorkerConfig["runtime"], { name: "runc" }>;

export async function openRunc(parts: RuntimeParts, asked: RuncConfig): Promise<OpenRuntime> {
  const { runc, conmon, tini, userNamespaces } = asked;
  http.setGlobalProxyFromEnv(); // images are pulled the way that the host's other programs take
  const { config, workerId, interpreters, content, clients, node, capacity, clock, logger } = parts;
  const instance = instanceOf(workerId);
  const run = `/run/lydian/${instance}`;
  await mkdir(run, { recursive: true, mode: 0o711 }); // root inside a container, nobody outside, passes through here
  const { cache } = config;
  const [{ layers, images: bases, facts, settings }, mounter, cgroups, network] = await Promise.all([
    openHostStore({ cache, registry: asked.registry, inherits: asked.packageSettings, interpreters, clock, logger }),
    Mounter.start({ clock }),
    Cgroups.detect(),
    NetworkPool.open({
      instance,
      folder: join(run, "network"),
      size: networksReady,
      userns: userNamespaces,
      logger,
      clock,
    }),
  ]);
  const group = new HostPlaces(instance).cgroup;
  await cgroups.create(group);
  await cgroups.limit(group, { pids: await shareOfProcesses(), memoryMib: Number(capacity.memoryMib) });
  const trash = trashFolder(config.data);
  await mkdir(trash, { recursive: true, mode: 0o700 });
  const reserve = asked.diskReserveMib === undefined ? undefined : asked.diskReserveMib * 2 ** 20;
  const images = await Images.open(join(config.data, "images"), layers);
  const isElsewhere = (await stat(layers.folder)).dev !== (await stat(config.data)).dev;
  const collector = new Collector({ images, bases, layers, facts, content, isElsewhere, clock, logger });
  const makeRoom = (bytes: number): Promise<number> => collector.makeRoom(bytes);
  const disk = new DiskGuard({ gauge: diskGauge(config.data), trash, reserve, makeRoom, clock, logger });
  const runtime = new RuncRuntime({
    data: config.data,
    instance,
    programs: { runc, conmon, ...(asked.rclone !== undefined && { rclone: asked.rclone }) },
    init: tini,
    inherited: containerSettings(await settings()),
    ...{ layers, mounter, network, cgroups, disk, clock, logger },
  });
  await facts.start();
  const newId = idMaker(() => clock.now());
  const volumes = await openVolumes(parts, { mounter, trash: new Trash(trash, clock, logger) });
  const buckets = new Buckets({ tool: asked.rclone, stores: asked.stores, mounter, clock, logger });
  const recipeHost: RecipeHost = {
    resources: { memoryMib: Number(capacity.memoryMib) },
    pythonImage: async () => `python:${(await interpreters.any()).minor}-slim-bookworm`,
    ...{ runtime, layers, mounter, bases, content, images, settings, clients, node, capacity, volumes, clock },
  };
  const builds: BuildHost = {
    newId: () => newId("ta"),
    maker: { images, make: (request, customer) => makeImage(request, recipeHost, customer) },
    ...{ data: config.data, server: config.server, clock, logger },
  };
  return {
    runtime,
    images,
    builds,
    mountLayers: new MountLayers({ layers, mounter, content }),
    collector,
    volumes,
    buckets,
    async close() {
      buckets.close();
      await volumes.close();
      await bases.close();
      await facts.close();
      await network.close({ remove: true });
      await runtime.close();
      await mounter.close();
    },
  };
}

async function openVolumes(
  { config, doorFile, clock, logger }: RuntimeParts,
  { mounter, trash }: { mounter: Mounter; trash: Trash },
): Promise<Volumes> {
  const server = new VolumeServer({ doorFile, clock });
  const maker = new LayerMaker();
  const owed = await OwedCommits.open(join(config.data, "owed"), { logger, sync: syncFileSystem });
  const trees = await VolumeTrees.open(join(config.data, "volumes"), { server, owed, maker, logger });
  const throwAway = (folder: string): Promise<void> => trash.throwAway(folder);
  const threads = { maker, reader: new UpperReader(), packs: new PackReader() };
  const volumes = new Volumes(
    { server, trees, mounter, ...threads, logger, throwAway, clock, owedFrom: usualOwedFrom },
    { clock, owed },
  );
  volumes.start();
  return volumes;
}

/** What all containers together may have of the host's processes and threads: the rest is left when all are fork bombs. */
async function shareOfProcesses(): Promise<number> {
  const limits = ["pid_max", "threads-max"].map((name) => readFile(`/proc/sys/kernel/${name}`, "utf8"));
  return Math.floor(Math.min(...(await Promise.all(limits)).map(Number)) / 2);
}

/** Short enough for the name of a network interface, and no other platform's on this host. */
function instanceOf(workerId: string): string {
  return createHash("sha256").update(workerId).digest("hex").slice(0, 8);
}
