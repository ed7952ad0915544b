/** One container's life on this worker: from its assignment to its release. state.ts has the phases and the moves. */
import { appendFileSync } from "node:fs";
import { mkdir, open, rename } from "node:fs/promises";
import type net from "node:net";
import { dirname } from "node:path";

import type * as wire from "@lydian/contract/worker";
import { type Clock, isDiskFull, type Logger, messageOf, PlatformError, removeBelow, type Timer } from "@lydian/kit";

import type { ContainerProcess, ProcessSpec } from "../runtime/runtime.ts";
import { ImageGoneError } from "../image-gone.ts";
import { AcknowledgedOffset } from "./acknowledged.ts";
import { Door, type ServerAddress } from "./doors.ts";
import { type ContainerExit, exitToWire, type ProcessEnd } from "./exit.ts";
import { DoorSocket } from "./door-socket.ts";
import { type ContainerPlace, containerPlace, containersFolder, doorsFolder } from "./folder.ts";
import { type Lease, writeLease } from "./lease.ts";
import { formatRecords } from "./log-format.ts";
import type { LogTrim } from "./log-trim.ts";
import { readProcess, writeProcess } from "./process-file.ts";
import { prepareProcess, type Workshop } from "./prepare.ts";
import { type Usage, UsageMeter } from "./usage-meter.ts";
import type { WaitingStarter } from "../starters/starters.ts";
import { type ContainerPhase, move } from "./state.ts";
import type { Assignment } from "../assignment.ts";
import type { ContainerRoot } from "../volumes/volume-mount.ts";

/** What a container takes from the worker that it is on. */
export interface ContainerHost extends Workshop {
  data: string;
  server: ServerAddress;
  clock: Clock;
  logger: Logger;
  /** Called after each change of a container's phase. */
  onPhase: (container: Container) => void;
  /** Told what a container has used since it was told before. */
  onUsage: (container: Container, usage: Usage) => void;
}

/** The log of most containers is shorter, and stays as it is until their end. */
const trimmedFromBytes = 1024 * 1024;

/**
 * While a worker is away nobody answers at its containers' doors, and a client that has tried for long enough ends with an error.
 * An end so soon after that does not speak against the function.
 */
const blamelessMs = 10_000;

/** What is refused for good is refused twice; what something on the host has killed is not. */
const startTries = 2;

export class Container implements Assignment {
  readonly place: ContainerPlace;
  readonly #host: ContainerHost;
  readonly #logger: Logger;
  readonly #acknowledged: AcknowledgedOffset;
  readonly #preparation = new AbortController();
  readonly #gone = new AbortController();
  readonly #released = new AbortController();
  #lease: Lease;
  #door: Door | undefined;
  #phase: ContainerPhase = "preparing";
  #process: ContainerProcess | undefined;
  #meter: Promise<UsageMeter | undefined> = Promise.resolve(undefined);
  #killTimer: Timer | undefined;
  /** Its own failures until then may be ours. */
  #blamelessUntil = 0;
  #saved: Promise<void> = Promise.resolve();
  /** Its runtime has nothing left of it. */
  #isCleared = false;
  #hasTerminal = false;
  /** Loaded by the first container whose log is long: it needs system calls that most never do. */
  #trim: Promise<LogTrim> | undefined;

  private constructor(place: ContainerPlace, lease: Lease, door: Door | undefined, host: ContainerHost) {
    this.place = place;
    this.#lease = lease;
    this.#door = door;
    this.#host = host;
    this.#logger = host.logger.child({ container: place.id });
    this.#acknowledged = new AcknowledgedOffset(place.folder);
  }

  /** Takes an assignment: from here on the container survives kill -9 of the worker. Then it is prepared and started. */
  static async begin(assigned: Lease, spec: wire.ContainerSpec, host: ContainerHost): Promise<Container> {
    const isLarge = host.mountLayers?.hasLarge(spec.mounts) === true;
    // A starter has no terminal.
    const starter = isLarge || spec.terminal !== undefined ? undefined : host.starters?.take(spec);
    const lease = starter === undefined ? assigned : { ...assigned, hostId: starter.place.hostId };
    const place = containerPlace(host.data, lease.containerId, lease.hostId);
    let container: Container;
    try {
      if (starter === undefined) await mkdir(place.folder, { recursive: true, mode: 0o700 });
      else await rename(starter.place.folder, place.folder); // its log and its root are the container's
      await writeLease(place.folder, lease);
      await (await open(place.logFile, "a", 0o600)).close();
      const socket = starter?.socket ?? (await DoorSocket.bind(place.doorFile));
      const door = new Door(socket, lease.doorSecret, host.server);
      container = new Container(place, lease, door, host);
      container.#hasTerminal = spec.terminal !== undefined;
    } catch (error) {
      await starter?.drop();
      await removeBelow(containersFolder(host.data), place.folder); // or the next worker would adopt it
      throw error;
    }
    void container.#prepareAndRun(spec, starter);
    return container;
  }

  /** Goes on with a container that a worker before had; undefined when it never came to run, and nothing is left. */
  static async adopt(lease: Lease, door: Door | undefined, host: ContainerHost): Promise<Container | undefined> {
    const place = containerPlace(host.data, lease.containerId, lease.hostId);
    const container = new Container(place, lease, door, host);
    if (lease.exit !== undefined) {
      container.#enter("gone");
      container.#gone.abort();
      return container;
    }
    container.#blamelessUntil = host.clock.now() + blamelessMs;
    const adoption = await host.runtime.adopt(place, { door: container.#admit });
    switch (adoption.state) {
      case "running":
        await container.#adoptRoot(host.runtime.rootOf?.(place));
        container.#attach(adoption.process);
        return container;
      case "ended":
        await container.#adoptRoot(undefined);
        container.#enter("running");
        await container.#end(container.#exitOf(adoption.end));
        return container;
      case "neverStarted":
        await container.release();
        return undefined;
    }
  }

  get id(): string {
    return this.place.id;
  }

  get fence(): string {
    return this.#lease.fence;
  }

  get phase(): ContainerPhase {
    return this.#phase;
  }

  get isRunning(): boolean {
    const { exit } = this.#lease;
    return exit === undefined ? this.#phase !== "preparing" : exit.reason !== "failedToStart";
  }

  get isGone(): boolean {
    return this.#phase === "gone";
  }

  /** Once it is gone. */
  get exit(): wire.Exit | undefined {
    return this.#lease.exit && exitToWire(this.#lease.exit);
  }

  /** Its main process has: what it prints is to be seen as it comes. */
  get hasTerminal(): boolean {
    return this.#hasTerminal;
  }

  get logFile(): string {
    return this.place.logFile;
  }

  get volumesId(): string {
    return this.place.id;
  }

  /** Aborts when it is gone: its log grows no more. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  /** Aborts when it is released. */
  get released(): AbortSignal {
    return this.#released.signal;
  }

  /** How far the server has its log. */
  get acknowledgedOffset(): number {
    return this.#acknowledged.value;
  }

  acknowledge(offset: number): void {
    this.#acknowledged.advance(offset);
    if (offset >= trimmedFromBytes) void this.#trimLog(offset);
  }

  /** What the server has on its disk need not lie on this one as well. */
  async #trimLog(offset: number): Promise<void> {
    try {
      this.#trim ??= import("./log-trim.ts").then(({ LogTrim }) => new LogTrim(this.place.logFile));
      await (await this.#trim).until(offset);
    } catch (error) {
      this.#logger.warn({ err: error }, "the disk space of a log could not be given back");
    }
  }

  /** Brings the server a connection to a port of its own network; rejects when nothing answers there. */
  async dial(port: number, secret: string): Promise<void> {
    const isThere = this.#process !== undefined && !this.isGone;
    const inside = isThere ? this.#host.runtime.connect?.(this.place, port) : undefined;
    if (inside === undefined || this.#door === undefined)
      throw new PlatformError("the container has no network to enter");
    await this.#door.dial(inside, secret);
  }

  /** It has loaded its code. */
  async ready(): Promise<void> {
    if (this.#phase === "running") await this.#host.runtime.ready(this.place);
  }

  /** SIGTERM now, SIGKILL after the grace. Asked again, the earlier end wins. */
  async stop(graceMs: number): Promise<void> {
    if (this.#phase === "gone") return;
    const killAtMs = this.#host.clock.now() + graceMs;
    if (this.#lease.stop !== undefined && this.#lease.stop.killAtMs <= killAtMs) return;
    const isFirst = this.#lease.stop === undefined;
    this.#lease = { ...this.#lease, stop: { killAtMs } };
    this.#preparation.abort(new PlatformError("the container was stopped before it ran"));
    try {
      await this.#save();
    } finally {
      if (this.#process !== undefined) this.#endProcess(this.#process, isFirst); // on a full disk as well
    }
  }

  /** Ends what is left of it and forgets it. */
  async release(): Promise<void> {
    this.#released.abort();
    this.#killTimer?.[Symbol.dispose]();
    this.#host.volumes?.discard(this.id);
    this.#host.buckets?.discard(this.id);
    await this.#door?.close();
    if (!this.#isCleared) await this.#host.runtime.clear(this.place);
    await removeBelow(doorsFolder(this.#host.data), dirname(this.place.doorFile));
    await removeBelow(containersFolder(this.#host.data), this.place.folder);
  }

  /** Leaves the container running for the next worker. */
  async leave(): Promise<void> {
    this.#killTimer?.[Symbol.dispose]();
    (await this.#meter)?.close();
    this.#process?.release();
    await this.#door?.close();
  }

  /** For doors of the runtime's own; the connection closes when the container's door is closed already. */
  readonly #admit = (inside: net.Socket): void => {
    if (this.#door === undefined) inside.destroy();
    else this.#door.admit(inside);
  };

  async #prepareAndRun(spec: wire.ContainerSpec, starter: WaitingStarter | undefined): Promise<void> {
    try {
      this.#attach(await (starter === undefined ? this.#start(spec, startTries) : this.#startIn(starter, spec)));
    } catch (error) {
      await this.#end(this.#lease.stop === undefined ? this.#failure(error) : { reason: "stopped" });
    }
  }

  /** Whatever a starter fails at, a container from nothing does or says why it cannot. */
  async #startIn(starter: WaitingStarter, spec: wire.ContainerSpec): Promise<ContainerProcess> {
    try {
      return await starter.run(await this.#prepare(spec, starter));
    } catch (error) {
      this.#logger.warn({ err: error, starter: this.place.hostId }, "a starter could not become a container");
      await this.#host.runtime.clear(this.place);
      return await this.#start(spec, startTries);
    }
  }

  async #start(spec: wire.ContainerSpec, tries: number): Promise<ContainerProcess> {
    const { runtime } = this.#host;
    let isPrepared = false;
    try {
      const process = await this.#prepare(spec);
      isPrepared = true;
      return await runtime.start(this.place, process, this.#door?.socket);
    } catch (error) {
      const isFull = isDiskFull(error);
      if (tries === 1 || !(isPrepared || isFull)) throw error;
      this.#logger.warn({ err: error }, "a container could not be started and is tried once more");
      await runtime.clear(this.place);
      if (isFull) await runtime.room?.(this.#preparation.signal);
      return await this.#start(spec, tries - 1);
    }
  }

  /** What a worker before has mounted into it; undefined: nothing of it runs any more. */
  async #adoptRoot(root: ContainerRoot | undefined): Promise<void> {
    const { volumes, buckets } = this.#host;
    this.#hasTerminal = root !== undefined && (await readProcess(root))?.terminal !== undefined;
    await volumes?.adopt(this.place, root);
    await buckets?.adopt(this.place, root);
  }

  async #prepare(spec: wire.ContainerSpec, starter?: WaitingStarter): Promise<ProcessSpec> {
    const { signal } = this.#preparation;
    const customer = { say: (line: string) => this.#say(line), signal, door: this.#admit, starter };
    const process = await prepareProcess(this.place, spec, this.#host, customer);
    const root = this.#host.runtime.rootOf?.(this.place);
    if (root !== undefined) await writeProcess(root, process);
    signal.throwIfAborted();
    return process;
  }

  #attach(process: ContainerProcess): void {
    this.#process = process;
    this.#enter("running");
    this.#meter = this.#measure(process);
    // Asked to stop while it was being started, or by a worker before.
    if (this.#lease.stop !== undefined) this.#endProcess(process, true);
    void process.end.then((end) => this.#end(this.#exitOf(end)));
  }

  async #measure({ usage }: ContainerProcess): Promise<UsageMeter | undefined> {
    if (usage === undefined) return undefined;
    const { clock, onUsage } = this.#host;
    const tell = (used: Usage): void => onUsage(this, used);
    try {
      return await UsageMeter.begin(usage, { clock, logger: this.#logger, tell });
    } catch (error) {
      this.#logger.debug({ err: error }, "what a container uses cannot be read");
      return undefined;
    }
  }

  #endProcess(process: ContainerProcess, isFirst: boolean): void {
    const { clock } = this.#host;
    if (this.#phase === "gone") return;
    if (this.#phase === "running") this.#enter("stopping");
    if (isFirst) process.signal("SIGTERM");
    this.#killTimer?.[Symbol.dispose]();
    const leftMs = (this.#lease.stop?.killAtMs ?? 0) - clock.now();
    this.#killTimer = clock.timer(leftMs, () => {
      process.signal("SIGKILL");
      this.#host.buckets?.hurry(this.id);
    });
  }

  /** Whatever fails here, the container is gone and the server hears of it. */
  async #end(exit: ContainerExit): Promise<void> {
    this.#killTimer?.[Symbol.dispose]();
    this.#lease = { ...this.#lease, exit };
    try {
      await this.#door?.close();
      this.#host.buckets?.hurry(this.id);
      await (await this.#meter)?.finish();
      await this.#host.runtime.clear(this.place);
      this.#isCleared = true;
      await this.#host.buckets?.finish(this.id);
      await this.#host.volumes?.finish(this.place, (line) => this.#say(line));
      await this.#save();
    } catch (error) {
      this.#logger.error({ err: error }, "the end of a container could not be cleaned up or recorded");
    }
    this.#enter("gone");
    this.#gone.abort();
  }

  /** Writes the lease as it then is, one write after the other, so that an older one never comes last. */
  #save(): Promise<void> {
    const written = this.#saved.then(() => writeLease(this.place.folder, this.#lease));
    this.#saved = written.catch(() => {}); // told to the caller; the next write does not depend on it
    return written;
  }

  #exitOf(end: ProcessEnd): ContainerExit {
    if (this.#lease.stop !== undefined) return { reason: "stopped" };
    const isOurs = end.reason === "exited" && end.code !== 0 && this.#host.clock.now() < this.#blamelessUntil;
    return isOurs
      ? { reason: "lost", message: `it ended with code ${end.code} after its worker had been killed` }
      : end;
  }

  #failure(error: unknown): ContainerExit {
    if (isDiskFull(error)) {
      return {
        reason: "outOfDisk",
        message: `the machine's disk was nearly full when it was to start: ${messageOf(error)}`,
      };
    }
    if (error instanceof ImageGoneError) return { reason: "lost", message: error.message }; // nobody's fault; it is made again
    if (!(error instanceof PlatformError)) this.#logger.error({ err: error }, "a container could not be started");
    const hint = error instanceof PlatformError && error.hint !== undefined ? `\n${error.hint}` : "";
    return { reason: "failedToStart", message: `${messageOf(error)}${hint}` };
  }

  /** The line goes where the process's output goes, so that one offset orders all. Appending is atomic. */
  #say(line: string): void {
    try {
      appendFileSync(this.place.logFile, formatRecords("system", this.#host.clock.now(), line));
    } catch (error) {
      this.#logger.warn({ err: error, line }, "a line could not be written into the container's log");
    }
  }

  #enter(phase: ContainerPhase): void {
    this.#phase = move(this.id, this.#phase, phase);
    this.#logger.debug({ phase, exit: this.#lease.exit }, "container");
    this.#host.onPhase(this);
  }
}
