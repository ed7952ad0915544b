/**
 * The runtime `runc`: a function is an OCI container, shut in by namespaces, capabilities, seccomp and control groups.
 *
 * What a container has on this host, in the order in which it is made: image layers and a network slot that are held for
 * it, a control group, a record of them (record.ts), folders below /run (host-place.ts), a mounted root, then conmon and
 * runc's state. `clear` takes away whatever is there of it; what there is without a record, `clearOthers` finds.
 */
import { existsSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import net from "node:net";
import { dirname, join } from "node:path";

import { type Clock, type Logger, namesIn, PlatformError } from "@lydian/kit";

import { currentBoot } from "../../boot.ts";
import type { Cgroups } from "../../cgroups/cgroups.ts";
import type { DoorSocket } from "../../container/door-socket.ts";
import { type ContainerPlace, containersFolder, doorsFolder, startersFolder } from "../../container/folder.ts";
import type { DiskGuard } from "../../disk/disk-guard.ts";
import type { ContainerSettings } from "../../images/index.ts";
import { ImageGoneError } from "../../image-gone.ts";
import type { IdMap, LayerStore, Mounter } from "../../layers/index.ts";
import type { NetworkPool, NetworkSlot } from "../../network/network-pool.ts";
import type { ContainerRoot } from "../../volumes/volume-mount.ts";
import type {
  Adoption,
  ContainerProcess,
  DoorHandler,
  ExecProcess,
  ExecRequest,
  FilePlaces,
  HandOver,
  Layout,
  LayRequest,
  ProcessSpec,
  Runtime,
} from "../runtime.ts";
import { typeAt } from "./attach.ts";
import { createContainer, type RuncPrograms, startContainer } from "./conmon.ts";
import { endCommands, runcExec } from "./exec.ts";
import { type Held, stageFolder, workFolder } from "./held.ts";
import { type HostPlace, HostPlaces } from "./host-place.ts";
import { LayerHolds } from "./layer-holds.ts";
import { limitProcessors, oomScore, setLimits, settleOom } from "./limits.ts";
import { type OciSpec, ociSpec } from "./oci-spec.ts";
import { readEnd, readRecord, removeRecord, writeRecord } from "./record.ts";
import { Remains } from "./remains.ts";
import { filesOfRoot } from "./root-files.ts";
import { RuncLayout, stagedPath } from "./runc-layout.ts";
import { watchRunning } from "./running.ts";
import { readState } from "./runc-state.ts";
import { allSettledWell } from "./settled.ts";
import { Trash } from "./trash.ts";

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

export class RuncRuntime implements Runtime {
  readonly name = "runc";
  readonly isolates = true;
  readonly ownNetwork = true;
  readonly limits = true;
  readonly #options: RuncRuntimeOptions;
  readonly #places: HostPlaces;
  readonly #remains: Remains;
  readonly #trash: Trash;
  readonly #holds: LayerHolds;
  readonly #held = new Map<string, Held>();
  readonly #maxOpenFiles = hardLimitOfFiles();
  readonly #filesOfRoot = filesOfRoot();

  constructor(options: RuncRuntimeOptions) {
    this.#options = options;
    this.#places = new HostPlaces(options.instance);
    this.#remains = new Remains({ ...options, places: this.#places });
    this.#trash = new Trash(trashFolder(options.data), options.clock, options.logger);
    this.#holds = new LayerHolds(options.layers, options.instance);
  }

  async lay(place: ContainerPlace, request: LayRequest): Promise<Layout> {
    if (dirname(place.doorFile) === doorsFolder(this.#options.data)) {
      throw new Error(`the door of ${place.id} has no folder of its own that could be shown`);
    }
    const { network, mounter, inherited, cgroups } = this.#options;
    const { resources, door, signal, isSpare = false, image, build, mount } = request;
    const { layers } = image;
    if (!(await this.#holds.hold(place.hostId, layers))) throw new ImageGoneError("a layer of the image was removed");
    const work = build?.work ?? workFolder(place);
    const held: Held = { place, resources, door, isSpare, layers, work };
    this.#held.set(place.hostId, held);
    this.#step(place, "layers");
    const taken = network
      .take(place.hostId, { signal, restriction: request.network })
      .then((slot) => (held.slot = slot));
    const limited = setLimits(cgroups, this.#places.of(place.hostId).cgroup, held);
    await allSettledWell([taken.then(() => this.#step(place, "network")), limited]);
    const slot = await taken;
    await this.#record(held, slot);
    const host = await this.#places.make(place.hostId, slot.base);
    const showFiles = (): Promise<void> => this.#showFiles(place);
    const layout = new RuncLayout(place, host, { image, build, inherited, resolvConf: slot.resolvConf, showFiles });
    held.layout = layout;
    const lowers = build === undefined ? layers : [...build.shown, ...layers];
    await allSettledWell([
      layout.nameHost(hostnameOf(place.hostId)),
      mounter.mountRoot({ lowers, work, target: host.root, volatile: true, idMap: idMapOf(slot) }),
      (build?.hasDoor ?? true) ? this.#openDoor(held, slot) : undefined,
    ]);
    await mount?.(this.rootOf(place));
    this.#step(place, "root");
    return layout;
  }

  async start(place: ContainerPlace, spec: ProcessSpec, door?: DoorSocket): Promise<ContainerProcess> {
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
      host: {
        init: this.#options.init,
        maxOpenFiles: this.#maxOpenFiles,
        processor: process.arch,
        filesOfRoot: this.#filesOfRoot,
      },
    });
    await writeFile(join(host.bundle, "config.json"), JSON.stringify(amend(config)), { mode: 0o600 });
    const kept = { folder: place.folder, logFile: place.logFile, terminal: spec.terminal, door };
    const isMade = await createContainer(programs, host, kept, clock);
    this.#step(place, "created");
    if (isMade) await startContainer(host, clock);
    this.#step(place, "started");
    const state = await readState(host);
    if (isMade && state === undefined) throw new Error(`runc left no state of ${place.id}`);
    return watchRunning(held, host, state, this.#options);
  }

  async ready(place: ContainerPlace): Promise<void> {
    const { milliCpuLimit: milliCpu } = this.#held.get(place.hostId)?.resources ?? {};
    if (milliCpu === undefined) return;
    await limitProcessors(this.#options.cgroups, this.#places.of(place.hostId).cgroup, milliCpu);
  }

  async adopt(place: ContainerPlace, { door }: { door: DoorHandler }): Promise<Adoption> {
    const end = await readEnd(place);
    if (end !== undefined) return { state: "ended", end };
    const held = await this.#takeOver(place, door);
    if (held === undefined) return { state: "neverStarted" };
    if (held.slot === undefined) {
      return { state: "ended", end: { reason: "lost", message: "the host was restarted, or its network is gone" } };
    }
    const host = this.#places.of(place.hostId);
    const state = await readState(host);
    if (state?.isStarted !== true) return { state: "neverStarted" };
    await this.#openDoor(held, held.slot);
    await endCommands(host, { ...this.#options, runc: this.#options.programs.runc });
    // If it has ended meanwhile the watch says so at once.
    return { state: "running", process: watchRunning(held, host, state, this.#options) };
  }

  rootOf(place: ContainerPlace): ContainerRoot {
    const { cgroups } = this.#options;
    const { root, folder, cgroup } = this.#places.of(place.hostId);
    return {
      root,
      beside: join(folder, "volumes"),
      idMap: idMapOf(this.#held.get(place.hostId)?.slot),
      freeze: () => cgroups.freeze(cgroup),
      thaw: () => cgroups.thaw(cgroup),
      pids: () => cgroups.pids(cgroup),
    };
  }

  async exec(place: ContainerPlace, request: ExecRequest): Promise<ExecProcess> {
    const held = this.#held.get(place.hostId);
    if (held === undefined) throw new Error(`${place.id} was not laid out`);
    const host = { maxOpenFiles: this.#maxOpenFiles };
    const { runc } = this.#options.programs;
    return await runcExec(request, { place: this.#places.of(place.hostId), runc, host, oomScoreAdj: oomScore(held) });
  }

  async type(place: ContainerPlace, data: Uint8Array): Promise<void> {
    await typeAt(this.#places.of(place.hostId), data);
  }

  /** From the host's side of its link: what listens on its loopback interface alone is not reached. */
  connect(place: ContainerPlace, port: number): net.Socket {
    const host = this.#held.get(place.hostId)?.slot?.address;
    if (host === undefined) throw new PlatformError("the container's network is gone");
    return net.connect({ host, port, allowHalfOpen: true, noDelay: true });
  }

  room(signal: AbortSignal): Promise<void> {
    return this.#options.disk.room(signal);
  }

  async clear(place: ContainerPlace): Promise<void> {
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
      held === undefined ? undefined : this.#holds.release(place.hostId, held.layers),
      this.#trash.throwAway(workFolder(place)),
    ]);
    known?.diskWatch?.[Symbol.dispose]();
    this.#held.delete(place.hostId);
    this.#step(place, "cleared");
  }

  /** A container that ran in a starter. */
  async handOver(place: ContainerPlace, { resources, door }: HandOver): Promise<FilePlaces> {
    const { cgroups } = this.#options;
    const held = this.#held.get(place.hostId);
    if (held?.slot === undefined) throw new Error(`${place.hostId} was not laid out`);
    Object.assign(held, { place, resources, door, isSpare: false, work: workFolder(place) });
    await this.#record(held, held.slot);
    const { cgroup } = this.#places.of(place.hostId);
    await allSettledWell([setLimits(cgroups, cgroup, held), settleOom(cgroups, cgroup, held)]);
    held.diskWatch?.[Symbol.dispose]();
    held.diskWatch = held.guard?.();
    this.#step(place, "handed over");
    return { hostPath: (path) => stagedPath(place, path), showFiles: () => this.#showFiles(place) };
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
    await allSettledWell([network.clearOthers(recorded), this.#holds.releaseOthers(recorded)]);
    const kept = new Set(known.filter(({ hostId }) => recorded.has(hostId)).map(({ folder }) => folder));
    const parents = [containersFolder(data), startersFolder(data)];
    const folders = await Promise.all(
      parents.map(async (parent) => (await namesIn(parent)).map((id) => join(parent, id))),
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

  /** Nothing of them can be changed where they are seen, and where they lie only the worker gets to. */
  async #showFiles(place: ContainerPlace): Promise<void> {
    const source = stageFolder(place);
    const { root, idMap } = this.rootOf(place);
    if (existsSync(source)) await this.#options.mounter.show({ source, root, idMap });
  }

  /** What a worker before held; undefined when there is no record. Without a slot when the slot is gone. */
  async #takeOver(place: ContainerPlace, door: DoorHandler): Promise<Held | undefined> {
    const record = await readRecord(place);
    if (record === undefined) return undefined;
    const { resources, layers } = record;
    const held: Held = { place, door, isSpare: false, resources, layers, work: workFolder(place) };
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

  async #record({ place, layers, resources }: Held, slot: NetworkSlot): Promise<void> {
    await writeRecord(place, { boot: currentBoot, slot: slot.index, layers, resources });
  }

  /** A listener inside the container's network, with the same door behind it as the unix socket. */
  async #openDoor(held: Held, slot: NetworkSlot): Promise<void> {
    const listener = net.createServer({ allowHalfOpen: true, pauseOnConnect: true }, (inside) => held.door(inside));
    held.listener = await this.#options.network.listen(slot, loopbackPort, listener);
    held.listener.on("error", () => {}); // only a failed accept (out of descriptors) comes here: one connection is lost
    held.listener.unref();
  }
}

/** Where what containers leave is deleted; on the disk of the worker's data. */
export function trashFolder(data: string): string {
  return join(data, "trash");
}

const idMapOf = ({ userns, base }: Partial<Pick<NetworkSlot, "userns" | "base">> = {}): IdMap | undefined =>
  userns === undefined ? undefined : { userns, base: base ?? 0 };

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
