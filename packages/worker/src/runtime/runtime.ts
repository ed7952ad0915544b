/**
 * What runs containers: the interface that every runtime implements, so that the rest of the worker need not know which.
 *
 * A runtime keeps what it needs for adoption in the container's folder. All that it does about a container can be done
 * again after kill -9 of the worker.
 */
import type net from "node:net";
import type { Readable, Writable } from "node:stream";

import type { ProcessEnd } from "../container/exit.ts";
import type { DoorSocket } from "../container/door-socket.ts";
import type { ContainerPlace } from "../container/folder.ts";
import type { ImageConfig } from "../images/index.ts";
import type { Layer } from "../layers/index.ts";
import type { ContainerRoot } from "../volumes/volume-mount.ts";

export interface Runtime {
  readonly name: string;
  /** Containers cannot see their neighbours, the host or the platform. */
  readonly isolates: boolean;
  /** Containers have a loopback interface of their own. */
  readonly ownNetwork: boolean;
  /** Limits of cpu and memory are enforced. */
  readonly limits: boolean;

  /** Makes the place where a container's files go. */
  lay(place: ContainerPlace, request: LayRequest): Promise<Layout>;
  /**
   * Starts the main process; its output goes to the place's log. What outlives the worker beside it keeps its door open. Rejects
   * with a PlatformError for people.
   */
  start(place: ContainerPlace, spec: ProcessSpec, door?: DoorSocket): Promise<ContainerProcess>;
  /** The container has loaded its code: from here on the cpu limit holds, which would only have slowed the import. */
  ready(place: ContainerPlace): Promise<void>;
  /** Finds what a worker before started here. */
  adopt(place: ContainerPlace, request: { door: DoorHandler }): Promise<Adoption>;
  /** Ends every process of the container and gives back what lies outside its folder. Twice does no harm. */
  clear(place: ContainerPlace): Promise<void>;
  /** Ends what is left of containers of this worker that are not among `known`. */
  clearOthers(known: readonly ContainerPlace[]): Promise<void>;
  /** The root of a container that it has, whose processes can be stopped for a while. Absent: nothing can be mounted into one. */
  rootOf?(place: ContainerPlace): ContainerRoot;
  /** Runs another program in a container that runs, as its main process does. Absent: this runtime cannot. */
  exec?(place: ContainerPlace, request: ExecRequest): Promise<ExecProcess>;
  /** What somebody types at the terminal of its main process. Absent: there are none. */
  type?(place: ContainerPlace, data: Uint8Array): Promise<void>;
  /** Begins a connection to what listens in the container's own network. Absent: its containers have none. */
  connect?(place: ContainerPlace, port: number): net.Socket;
  /** Waits until the disk has room again, but not for ever. Absent: nobody makes room. */
  room?(signal: AbortSignal): Promise<void>;
  /**
   * What was laid out as spare and runs is this container from here on: its place has the same `hostId`, and a folder that
   * was the spare one's. Absent: this runtime has no use for spare ones.
   */
  handOver?(place: ContainerPlace, request: HandOver): Promise<FilePlaces>;
}

export type HandOver = Pick<LayRequest, "resources" | "door">;

/** What a container asks for before its files are laid out. */
export interface LayRequest {
  readonly image: RootImage;
  /** It is a step of a build: what it writes is kept. */
  readonly build?: BuildRoot;
  readonly resources: Resources;
  /** What its own connections reach; absent: all that is outside of this host. Only a runtime with `ownNetwork` can. */
  readonly network?: { readonly allowedCidrs: readonly string[] } | undefined;
  /** It is nobody's yet: it gives way to all others, and is the first to go when memory is short. */
  readonly isSpare?: boolean;
  /** Mounts what belongs into the root, before files are shown there and anything runs in it. */
  readonly mount?: ((root: ContainerRoot) => Promise<void>) | undefined;
  /** Joins a connection from inside to the server; for the runtime's own loopback listener. */
  readonly door: DoorHandler;
  /** Writes a line into the container's log. */
  readonly signal: AbortSignal;
}

/** Where functions are processes of the host: what an image is for them. */
export interface HostEnvironment {
  /** The image's. */
  readonly id: string;
  /** A folder whose `root` is copied to where /root is. */
  readonly files: string;
  /** The interpreter of its virtual environment; undefined: the host's own. */
  readonly program: string | undefined;
}

/** The root file system, and how its programs are run unless somebody says otherwise. */
export interface RootImage {
  /** Topmost first. */
  readonly layers: readonly Layer[];
  readonly config: ImageConfig;
  /** Where there is no root file system. */
  readonly environment?: HostEnvironment;
}

/** What the root of a build's step has besides. */
export interface BuildRoot {
  /** Where the upper is to be, as `u`; the caller's, and so not deleted with the container. */
  readonly work: string;
  /** Layers on top of the image's that are not kept, topmost first: mount points, for one. */
  readonly shown: readonly Layer[];
  /** Files and folders of the host that it sees, where `shown` has a place for them. */
  readonly binds: readonly { readonly source: string; readonly path: string }[];
  /** It sees the platform after all, as a container of a function does. */
  readonly hasDoor: boolean;
}

/** Absent: unlimited, but for the number of processes, which has a default. */
export interface Resources {
  /** What it is sure of when others want processors as well. */
  readonly milliCpu?: number;
  /** What it never goes beyond. */
  readonly milliCpuLimit?: number;
  /** Beyond it, a process of it is killed. */
  readonly memoryMib?: number;
  readonly diskMib?: number;
  /** Processes and threads at a time. */
  readonly pids?: number;
}

export type DoorHandler = (inside: net.Socket) => void;

/** Where files of mounts go. */
export interface FilePlaces {
  /** Where on the host the file of an absolute path in the container is to be laid; refuses what this runtime cannot place. */
  hostPath(containerPath: string): string;
  /**
   * All of them are laid: from here on its processes see them, for reading only. Absent: they are in their places already, and
   * the container's own to change.
   */
  showFiles?(): Promise<void>;
}

/** A container's file system before it runs, and the names of things as its processes see them. */
export interface Layout extends FilePlaces {
  /** The folder that stands for /root: home and working directory. */
  readonly home: string;
  /** What every process gets, unless its runner or its user says otherwise: PATH, LANG and the like. */
  readonly environment: Readonly<Record<string, string>>;
  /** Where processes reach the server, as a client takes it. */
  readonly serverUrl: string;
  /** What the image begins every program with; the program follows as arguments. */
  readonly entrypoint?: readonly string[];
  /** Where programs begin, unless that is the home. */
  readonly workdir?: string;
  /** Lays a file of the platform's own; answers its path as processes see it. */
  addFile(name: string, bytes: Uint8Array): Promise<string>;
  /** Shows a folder that containers share and do not change; answers its path as processes see it. */
  addFolder(name: string, hostFolder: string): Promise<string>;
  /** The interpreter of this minor version, as processes see it. */
  python(minor: string): Promise<string>;
}

/** What to run: absolute program, whole environment. */
export interface ProcessSpec {
  readonly argv: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Absent: root. */
  readonly user?: Account;
  /** What its standard streams are; absent: nothing to read, and pipes into the log. */
  readonly terminal?: Terminal;
}

export interface Terminal {
  readonly rows: number;
  readonly columns: number;
}

export interface ExecRequest {
  /** Of one container; a name for files. */
  readonly id: string;
  readonly process: ProcessSpec;
  /** Absent: three pipes. */
  readonly terminal?: Terminal | undefined;
}

/** A program that runs beside a container's main process; it ends with the worker that started it, at the latest. */
export interface ExecProcess {
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** With a terminal nothing comes here. */
  readonly stderr: Readable;
  /** How it ended as a shell says it; all that it wrote may still have to be read. Never rejects. */
  readonly end: Promise<number>;
  /** To its whole group. */
  signal(name: "SIGHUP" | "SIGKILL"): void;
}

/** Whose rights a process has, by the numbers that its image uses. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
  /** Its other groups. */
  readonly groups: readonly number[];
}

export interface ContainerProcess {
  /** Resolves when the main process has ended and all its output is in the log; never rejects. */
  readonly end: Promise<ProcessEnd>;
  /** To the main process and its group; nothing happens when it has ended. */
  signal(name: "SIGTERM" | "SIGKILL"): void;
  /** Stops watching and leaves the process as it is; `end` then never resolves. */
  release(): void;
  /** What it and all that it has started have used so far; until it is cleared. Absent: this runtime does not count it. */
  readonly usage?: () => Promise<ProcessUsage>;
}

export interface ProcessUsage {
  readonly cpuMicroseconds: number;
  /** With what its files take of the page cache. */
  readonly memoryBytes: number;
  /** The most that it ever was; undefined where the kernel does not keep it. */
  readonly peakBytes: number | undefined;
}

export type Adoption =
  | { state: "running"; process: ContainerProcess }
  | { state: "ended"; end: ProcessEnd }
  /** The worker before died before anything ran. */
  | { state: "neverStarted" };
