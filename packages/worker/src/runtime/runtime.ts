/**
 * What runs containers: the interface that every runtime implements, so that the rest of the worker need not know which.
 *
 * A runtime keeps what it needs for adoption in the container's folder. All that it does about a container can be done
 * again after kill -9 of the worker.
 */
import type { ContainerPlace } from "../container/folder.ts";
import type { ProcessEnd } from "../container/exit.ts";

export interface Runtime {
  readonly name: string;
  /** Containers cannot see their neighbours, the host or the platform. */
  readonly isolates: boolean;
  /** Containers have a loopback interface of their own. */
  readonly ownNetwork: boolean;
  /** Limits of cpu and memory are enforced. */
  readonly limits: boolean;

  /** Makes the place where a container's files go. */
  lay(place: ContainerPlace): Promise<Layout>;
  /** Starts the main process; its output goes to the place's log. Rejects with a PlatformError for people. */
  start(place: ContainerPlace, spec: ProcessSpec): Promise<ContainerProcess>;
  /** Finds what a worker before started here. */
  adopt(place: ContainerPlace): Promise<Adoption>;
  /** Ends every process of the container and gives back what lies outside its folder. Twice does no harm. */
  clear(place: ContainerPlace): Promise<void>;
  /** Ends what is left of containers of this worker that are not among `known`. */
  clearOthers(known: ReadonlySet<string>): Promise<void>;
}

/** A container's file system before it runs, and the names of things as its processes see them. */
export interface Layout {
  /** The folder that stands for /root: home and working directory. */
  readonly home: string;
  /** Where processes reach the server, as a client takes it. */
  readonly serverUrl: string;
  /** Where on the host the file of an absolute path in the container goes; refuses what this runtime cannot place. */
  hostPath(containerPath: string): string;
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
}

export interface ContainerProcess {
  /** Resolves when the main process has ended and all its output is in the log; never rejects. */
  readonly end: Promise<ProcessEnd>;
  /** To the main process and its group; nothing happens when it has ended. */
  signal(name: "SIGTERM" | "SIGKILL"): void;
  /** Stops watching and leaves the process as it is; `end` then never resolves. */
  release(): void;
}

export type Adoption =
  | { state: "running"; process: ContainerProcess }
  | { state: "ended"; end: ProcessEnd }
  /** The worker before died before anything ran. */
  | { state: "neverStarted" };
