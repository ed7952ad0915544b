/**
 * The runtime `runc`: a function is an OCI container, shut in by namespaces, capabilities, seccomp and control groups.
 *
 * What a container has on this host, in the order in which it is made: image layers and a network slot that are held for
 * it, a control group, a record of them (record.ts), folders below /run (host-place.ts), a mounted root, then conmon and
 * runc's state. `clear` takes away whatever is there of it; what there is without a record, `clearOthers` finds.
 */
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import net from "node:net";
import { dirname, join } from "node:path";

import { type Clock, hasCode, type Logger, PlatformError, removeBelow } from "@lydian/kit";

import { currentBoot } from "../../boot.ts";
import type { Cgroups } from "../../cgroups/cgroups.ts";
import type { ProcessEnd } from "../../container/exit.ts";
import { type ContainerPlace, containersFolder, doorsFolder, startersFolder } from "../../container/folder.ts";
import type { DiskGuard } from "../../disk/disk-guard.ts";
import type { ContainerSettings } from "../../images/index.ts";
import { ImageGoneError } from "../../image-gone.ts";
import type { Layer, LayerStore, Mounter } from "../../layers/index.ts";
import type { NetworkPool, NetworkSlot } from "../../network/network-pool.ts";
import type { ContainerRoot } from "../../volumes/volume-mount.ts";
import { signalProcess } from "../process/process-identity.ts";
import type {
  Adoption,
  ContainerProcess,
  DoorHandler,
  HandedOver,
  HandOver,
  Layout,
  LayRequest,
  ProcessSpec,
  Resources,
  Runtime,
} from "../runtime.ts";
import { createContainer, readExitCode, type RuncPrograms, startContainer, watchConmon } from "./conmon.ts";
import { endOf } from "./container-end.ts";
import { type HostPlace, HostPlaces } from "./host-place.ts";
import { type OciSpec, ociSpec } from "./oci-spec.ts";
import { readEnd, readRecord, removeRecord, writeEnd, writeRecord } from "./record.ts";
import { entries, Remains } from "./remains.ts";
import { RuncLayout } from "./runc-layout.ts";
import { readState, type RuncState } from "./runc-state.ts";
import { allSettledWell } from "./settled.ts";
import { Trash } from "./trash.ts";

/** Processes and threads of a container that asks for no number: more than programs need, far less than the host has. */
const defaultPids = 4096;

/** What a container weighs that asks for nothing, and what one that is nobody's yet, in thousandths of a core. */
const defaultShare = 1000;
const spareShare = 10;

/** When the host runs out of memory the kernel takes spare containers first, then functions, then the platform and people's own. */
const oomScore = ({ isSpare }: Pick<Held, "isSpare">): number => (isSpare ? 1000 : 500);

/** Where the server is reached by plain HTTP inside. */
const loopbackPort = 8700;

export interface RuncRuntimeOptions {
  /** The worker's data folder. */
  data: string;
  /** The platform's short id: 1 to 8 of a-z0-9, the same as the network pool's. */
  instance: string;
  programs: RuncPrograms;
  /** The program that is the first process of every container (oci-spec.ts). */
  init: string;
  /** What containers have of the host's settings; builds have more of them, and bring them themselves. */
  inherited?: ContainerSettings;
  layers: LayerStore;
  mounter: Mounter;
  network: NetworkPool;
  cgroups: Cgroups;
  disk: DiskGuard;
  clock: Clock;
  logger: Logger;
  /** For tests that show what a guard is good for by taking it away. */
  amend?: (spec: OciSpec) => OciSpec;
}

/** What this worker holds of a container. */
interface Held {
  place: ContainerPlace;
  resources: Resources;
  /** Joins connections of its loopback listener to the server. */
  door: DoorHandler;
  isSpare: boolean;
  /** Mounts what else belongs into the root. */
  mount?: LayRequest["mount"];
  /** The image's, topmost first. */
  readonly layers: readonly Layer[];
  /** What its root is mounted of. */
  readonly lowers: readonly Layer[];
  /** Where its upper is. */
  readonly work: string;
  slot?: NetworkSlot;
  listener?: net.Server;
  layout?: RuncLayout;
  watch?: { close(): void };
  diskWatch?: Disposable | undefined;
  /** Begins to watch what it holds of the disk. */
  guard?: () => Disposable;
  /** Why the worker ended it. */
  verdict?: ProcessEnd;
  /** conmon has ended by itself: nobody is at work on the container any more. */
  isOver?: boolean;
}

export class RuncRuntime implements Runtime {
  readonly name = "runc";
  readonly isolates = true;
  readonly ownNetwork = true;
  readonly limits = true;
  readonly #options: RuncRuntimeOptions;
  readonly #places: HostPlaces;
  readonly #remains: Remains;
  readonly #trash: Trash;
  readonly #held = new Map<string, Held>();
  readonly #maxOpenFiles = hardLimitOfFiles();

  constructor(options: RuncRuntimeOptions) {
    this.#options = options;
    this.#places = new HostPlaces(options.instance);
    this.#remains = new Remains({ ...options, places: this.#places });
    this.#trash = new Trash(trashFolder(options.data), options.clock, options.logger);
  }

  async lay(place: ContainerPlace, request: LayRequest): Promise<Layout> {
    if (dirname(place.doorFile) === doorsFolder(this.#options.data)) {
      throw new Error(`the door of ${place.id} has no folder of its own that could be shown`);
    }
    const { network, mounter } = this.#options;
    const { resources, door, signal, isSpare = false, image, build, mount } = request;
    const { layers } = image;
    if (!(await this.#options.layers.hold(this.#holder(place.hostId), layers))) {
      throw new ImageGoneError("a layer of the image was removed");
    }
    const work = build?.work ?? workFolder(place);
    const lowers = build === undefined ? layers : [...build.shown, ...layers];
    const held: Held = { place, resources, door, isSpare, mount, layers, lowers, work };
    this.#held.set(place.hostId, held);
    this.#step(place, "layers");
    const taken = network
      .take(place.hostId, { signal, restriction: request.network })
      .then((slot) => (held.slot = slot));
    await allSettledWell([taken.then(() => this.#step(place, "network")), this.#limit(held)]);
    const slot = await taken;
    await this.#record(held, slot);
    const host = await this.#places.make(place.hostId, slot.base);
    const { inherited } = this.#options;
    const layout = new RuncLayout(place, host, { image, build, inherited, resolvConf: slot.resolvConf });
    held.layout = layout;
    await allSettledWell([
      layout.nameHost(hostnameOf(place.hostId)),
      // Without the map of ids, for files are laid by the host's root; `start` mounts it again with it.
      mounter.mountRoot({ lowers, work, target: host.root, volatile: true }),
      (build?.hasDoor ?? true) ? this.#openDoor(held, slot) : undefined,
    ]);
    this.#step(place, "root");
    return layout;
  }

  async start(place: ContainerPlace, spec: ProcessSpec): Promise<ContainerProcess> {
    const { programs, clock, amend = (spec: OciSpec): OciSpec => spec } = this.#options;
    const held = this.#held.get(place.hostId);
    if (held?.slot === undefined || held.layout === undefined) throw new Error(`${place.id} was not laid out`);
    await held.layout.close(spec.argv[0]);
    this.#step(place, "files");
    const host = this.#places.of(place.hostId);
    const config = ociSpec({
      process: spec,
      memoryMib: held.resources.memoryMib,
      oomScoreAdj: oomScore(held),
      root: host.root,
      hostname: hostnameOf(place.hostId),
      cgroupsPath: host.cgroup,
      network: held.slot,
      binds: held.layout.binds,
      host: { init: this.#options.init, maxOpenFiles: this.#maxOpenFiles, processor: process.arch },
    });
    await allSettledWell([
      writeFile(join(host.bundle, "config.json"), JSON.stringify(amend(config)), { mode: 0o600 }),
      this.#mapIds(place, held, held.slot).then(() => held.mount?.(this.rootOf(place))),
    ]);
    const isMade = await createContainer(programs, host, place.logFile, clock);
    this.#step(place, "created");
    if (isMade) await startContainer(host, clock);
    this.#step(place, "started");
    const state = await readState(host);
    if (isMade && state === undefined) throw new Error(`runc left no state of ${place.id}`);
    return this.#watch(held, state);
  }

  async ready(place: ContainerPlace): Promise<void> {
    const { milliCpuLimit: milliCpu } = this.#held.get(place.hostId)?.resources ?? {};
    if (milliCpu === undefined) return;
    try {
      await this.#options.cgroups.limit(this.#places.of(place.hostId).cgroup, { milliCpu });
    } catch (error) {
      if (!hasCode(error, "ENOENT", "ENODEV")) throw error; // it has ended meanwhile
    }
  }

  async adopt(place: ContainerPlace, { door }: { door: DoorHandler }): Promise<Adoption> {
    const end = await readEnd(place);
    if (end !== undefined) return { state: "ended", end };
    const held = await this.#takeOver(place, door);
    if (held === undefined) return { state: "neverStarted" };
    if (held.slot === undefined) {
      return { state: "ended", end: { reason: "lost", message: "the host was restarted, or its network is gone" } };
    }
    const state = await readState(this.#places.of(place.hostId));
    if (state?.isStarted !== true) return { state: "neverStarted" };
    await this.#openDoor(held, held.slot);
    // If it has ended meanwhile the watch says so at once.
    return { state: "running", process: this.#watch(held, state) };
  }

  rootOf(place: ContainerPlace): ContainerRoot {
    const { cgroups } = this.#options;
    const { root, folder, cgroup } = this.#places.of(place.hostId);
    const { userns, base = 0 } = this.#held.get(place.hostId)?.slot ?? {};
    return {
      root,
      beside: join(folder, "volumes"),
      idMap: userns === undefined ? undefined : { userns, base },
      freeze: () => cgroups.freeze(cgroup),
      thaw: () => cgroups.thaw(cgroup),
      pids: () => cgroups.pids(cgroup),
    };
  }

  room(signal: AbortSignal): Promise<void> {
    return this.#options.disk.room(signal);
  }

  async clear(place: ContainerPlace): Promise<void> {
    const { layers } = this.#options;
    const known = this.#held.get(place.hostId);
    known?.watch?.close();
    known?.listener?.close();
    const host = this.#places.of(place.hostId);
    await this.#remains.end(host, { isOver: known?.isOver === true });
    const held = known ?? (await this.#takeOver(place, (inside) => inside.destroy()));
    // The record goes before what it names: without it, whatever is left is nobody's and goes by `clearOthers`.
    await removeRecord(place);
    if (held?.slot !== undefined) this.#giveBack(place, held.slot);
    await this.#remains.remove(host);
    await allSettledWell([
      held === undefined ? undefined : layers.release(this.#holder(place.hostId), held.layers),
      this.#trash.throwAway(workFolder(place)),
    ]);
    known?.diskWatch?.[Symbol.dispose]();
    this.#held.delete(place.hostId);
    this.#step(place, "cleared");
  }

  /** A container that ran in a starter. */
  async handOver(place: ContainerPlace, { resources, door }: HandOver): Promise<HandedOver> {
    const held = this.#held.get(place.hostId);
    if (held?.slot === undefined) throw new Error(`${place.hostId} was not laid out`);
    Object.assign(held, { place, resources, door, isSpare: false, work: workFolder(place) });
    await this.#record(held, held.slot);
    await allSettledWell([this.#limit(held), this.#settleOom(held)]);
    held.diskWatch?.[Symbol.dispose]();
    held.diskWatch = held.guard?.();
    this.#step(place, "handed over");
    return { rootId: held.slot.base };
  }

  async clearOthers(known: readonly ContainerPlace[]): Promise<void> {
    const { data, network } = this.#options;
    const recorded = new Set<string>();
    for (const place of known) if ((await readRecord(place)) !== undefined) recorded.add(place.hostId);
    const isOther = (id: string): boolean => !recorded.has(id);
    const others = (await this.#remains.list()).filter(isOther).map((id) => this.#places.of(id));
    const remove = async (host: HostPlace): Promise<void> => {
      await this.#remains.end(host, { isOver: false });
      await this.#remains.remove(host);
    };
    await allSettledWell(others.map(remove));
    await this.#options.layers.tidy(); // what steps of builds were writing
    await allSettledWell([network.clearOthers(recorded), this.#releaseOthers(recorded)]);
    const kept = new Set(known.filter(({ hostId }) => recorded.has(hostId)).map(({ folder }) => folder));
    const parents = [containersFolder(data), startersFolder(data)];
    const folders = await Promise.all(
      parents.map(async (parent) => (await entries(parent)).map((id) => join(parent, id))),
    );
    const uppers = folders
      .flat()
      .filter((folder) => !kept.has(folder))
      .map((folder) => workFolder({ folder }));
    await allSettledWell(uppers.map((upper) => this.#trash.throwAway(upper)));
    void this.#trash.empty();
  }

  /** Finishes deleting, and removes what is empty of the platform's own on this host. */
  async close(): Promise<void> {
    await this.#trash.empty();
    await this.#remains.removeParents();
  }

  async #releaseOthers(recorded: ReadonlySet<string>): Promise<void> {
    const { layers } = this.#options;
    const holders = new Set([...recorded].map((id) => this.#holder(id)));
    for (const [id, names] of await layers.holders()) {
      const layer = await layers.get(id);
      const lost = names.filter((name) => name.startsWith(this.#holder("")) && !holders.has(name));
      if (layer !== undefined) for (const name of lost) await layers.release(name, [layer]);
    }
  }

  /** What a worker before held; undefined when there is no record. Without a slot when the slot is gone. */
  async #takeOver(place: ContainerPlace, door: DoorHandler): Promise<Held | undefined> {
    const record = await readRecord(place);
    if (record === undefined) return undefined;
    const { resources, layers } = record;
    const held: Held = { place, door, isSpare: false, resources, layers, lowers: layers, work: workFolder(place) };
    this.#held.set(place.hostId, held);
    if (record.boot !== currentBoot) return held;
    try {
      held.slot = await this.#options.network.adopt(place.hostId, record.slot);
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error;
      this.#options.logger.warn({ err: error, container: place.id }, "the network of a container is gone");
    }
    return held;
  }

  /** Nobody waits for it: the kernel takes 15 ms and more for the end of a link, by which nobody sends any more. */
  #giveBack(place: ContainerPlace, slot: NetworkSlot): void {
    const given = this.#options.network.give(slot).then(() => this.#step(place, "network gone"));
    given.catch((error: unknown) => {
      this.#options.logger.error({ err: error, container: place.id }, "a container's network could not be removed");
    });
  }

  /** What has just been done of a start or an end: bench/containers.ts reads the times of these lines. */
  #step(place: ContainerPlace, step: string): void {
    this.#options.logger.debug({ container: place.id, step }, "container");
  }

  /** Other platforms may have the same store. */
  #holder(id: string): string {
    return `${this.#options.instance}.${id}`;
  }

  async #record({ place, layers, resources }: Held, slot: NetworkSlot): Promise<void> {
    await writeRecord(place, { boot: currentBoot, slot: slot.index, layers, resources });
  }

  /** Sets all limits, whatever they were before. */
  async #limit({ place, resources, isSpare }: Held): Promise<void> {
    const { cgroups } = this.#options;
    const { milliCpu = defaultShare, memoryMib, pids = defaultPids } = resources;
    const { cgroup } = this.#places.of(place.hostId);
    await cgroups.create(cgroup);
    await cgroups.limit(cgroup, {
      pids,
      ...(memoryMib === undefined ? {} : { memoryMib }),
      shareMilliCpu: isSpare ? spareShare : milliCpu,
    });
  }

  /** The kernel no longer takes it before all others. */
  async #settleOom(held: Held): Promise<void> {
    for (const pid of await this.#options.cgroups.pids(this.#places.of(held.place.hostId).cgroup)) {
      await writeFile(`/proc/${pid}/oom_score_adj`, String(oomScore(held))).catch((error: unknown) => {
        if (!hasCode(error, "ENOENT", "ESRCH")) throw error; // it has ended
      });
    }
  }

  /** A listener inside the container's network, with the same door behind it as the unix socket. */
  async #openDoor(held: Held, slot: NetworkSlot): Promise<void> {
    const listener = net.createServer({ allowHalfOpen: true }, (inside) => held.door(inside));
    held.listener = await this.#options.network.listen(slot, loopbackPort, listener);
    held.listener.on("error", () => {}); // only a failed accept (out of descriptors) comes here: one connection is lost
    held.listener.unref();
  }

  /** From here on what root owns on disk is root's inside. */
  async #mapIds(place: ContainerPlace, { lowers, work }: Held, { userns, base }: NetworkSlot): Promise<void> {
    if (userns === undefined) return;
    const { mounter } = this.#options;
    const target = this.#places.of(place.hostId).root;
    await mounter.unmount(target);
    await removeBelow(work, join(work, "w")); // it is marked as volatile and cannot be mounted again
    await mounter.mountRoot({ lowers, work, target, volatile: true, idMap: { userns, base } });
  }

  #watch(held: Held, state: RuncState | undefined): ContainerProcess {
    const signal = (name: NodeJS.Signals, whom: "process" | "group"): void => {
      if (state !== undefined) signalProcess(state.init, name, whom); // else it was never made
    };
    const ended = Promise.withResolvers<ProcessEnd>();
    const host = this.#places.of(held.place.hostId);
    const watch = watchConmon(host, () => {
      watch.close();
      this.#end(held, state).then(ended.resolve, (error: unknown) => {
        ended.resolve({ reason: "lost", message: `how it ended cannot be read: ${String(error)}` });
      });
    });
    held.watch = watch;
    const guard = (): Disposable =>
      this.#options.disk.watch({
        id: held.place.id,
        folder: dirname(held.work),
        limitMib: held.resources.diskMib,
        isFresh: held.layout !== undefined,
        pids: () => this.#options.cgroups.pids(host.cgroup),
        end: (message) => {
          held.verdict = { reason: "outOfDisk", message };
          signal("SIGKILL", "process");
        },
      });
    held.guard = guard;
    if (!held.isSpare) held.diskWatch = guard();
    return {
      end: ended.promise,
      signal: (name) => signal(name, "group"),
      release: () => {
        watch.close();
        held.diskWatch?.[Symbol.dispose]();
        held.listener?.close();
      },
    };
  }

  /** Of a container whose conmon is gone; written down before `clear` takes away what it is read from. */
  async #end(held: Held, state: RuncState | undefined): Promise<ProcessEnd> {
    const { place } = held;
    this.#step(place, "ended");
    const host = this.#places.of(place.hostId);
    const exitCode = await readExitCode(host);
    held.isOver = exitCode !== undefined;
    if (exitCode === undefined && state !== undefined) signalProcess(state.init, "SIGKILL", "process");
    const oomKills = await this.#options.cgroups.oomKills(host.cgroup);
    const end = held.verdict ?? endOf({ exitCode, oomKills, memoryMib: held.resources.memoryMib });
    try {
      await writeEnd(place, end);
    } catch (error) {
      // Such as on a full disk: only a worker after this one would have to read it.
      this.#options.logger.error(
        { err: error, container: place.id },
        "the end of a container could not be written down",
      );
    }
    return end;
  }
}

/** Where what containers leave is deleted; on the disk of the worker's data. */
export function trashFolder(data: string): string {
  return join(data, "trash");
}

/** Where a container's upper is: on the data disk, thrown away with it. */
function workFolder(place: Pick<ContainerPlace, "folder">): string {
  return join(place.folder, "root");
}

/** The end of its id, which is random. */
function hostnameOf(id: string): string {
  return id
    .replaceAll(/[^A-Za-z0-9]/g, "")
    .slice(-12)
    .toLowerCase();
}

/** What the worker may have open, and so the most that it can allow. */
function hardLimitOfFiles(): number {
  const limit = /^Max open files +\S+ +(\S+)/m.exec(readFileSync("/proc/self/limits", "latin1"))?.[1];
  return limit === "unlimited" ? Number.MAX_SAFE_INTEGER : Number(limit);
}
