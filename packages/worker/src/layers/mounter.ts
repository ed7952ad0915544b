/**
 * Mounts for containers. All mount system calls are made by one thread (mount-thread.ts), one after the other, so that
 * none of them holds up the event loop; this is its owner's side.
 */
import { stat } from "node:fs/promises";
import { Worker } from "node:worker_threads";

import { type Clock, systemClock } from "@lydian/kit";

import type { Layer } from "./layer-store.ts";
import { LeftMount } from "./left-mount.ts";
import { errorOf, type FromThread, type MountRequest, type ThreadOptions, type ToThread } from "./mount-requests.ts";
import type { LayersBy } from "./root-mount.ts";

/** Shows what uid and gid 0 own on disk as owned by `base`, 1 by `base` + 1, and so on. */
export interface IdMap {
  /** The path of a pinned user namespace with the map 0 BASE 65536. */
  readonly userns: string;
  readonly base: number;
}

/** A container's root: a stack of layers under an upper of its own. */
export interface RootMount {
  /** Topmost first; at least one. A layer may be any directory that nobody changes, not only one of the store. */
  readonly lowers: readonly Layer[];
  /**
   * A folder on the data disk for the upper, `u`, and overlayfs' own, `w`; made when missing. An upper that is there
   * already is used with what it contains.
   */
  readonly work: string;
  /** An existing directory. */
  readonly target: string;
  readonly idMap?: IdMap | undefined;
  /** Folders of the layers can be renamed, by marks in the upper that make it a diff of these layers alone. */
  readonly redirects?: boolean;
  /** Nothing is synced to disk, so the upper must be thrown away after a crash of the host. */
  readonly volatile: boolean;
}

/** Shows a file or folder of the host inside a root. */
export interface BindMount {
  readonly source: string;
  /** A folder in the source instead of all of it, with the same care as `path`; made when missing unless it is `readOnly`. */
  readonly within?: string;
  /** The target of a root's mount. */
  readonly root: string;
  /** Absolute, in the container. Resolved inside the root, whatever symbolic links the root has; made when missing. */
  readonly path: string;
  readonly readOnly: boolean;
  readonly idMap?: IdMap | undefined;
}

/** Shows all that is below a folder of the host at the same paths inside a root, for reading. */
export interface TreeMount {
  /** It has folders and files, and no links. */
  readonly source: string;
  /** The target of a root's mount. */
  readonly root: string;
  readonly idMap?: IdMap | undefined;
}

/** A mount that takes another one's place. */
export interface MountSwap {
  readonly old: string;
  /** The clones of the old one below this folder go with it. */
  readonly below: string;
  /** Where the new one is mounted already. */
  readonly next: string;
  /** Where it is shown. */
  readonly points: readonly Omit<BindMount, "source">[];
}

export interface MounterOptions {
  /** How overlayfs is told its layers, instead of what the kernel is found to take. */
  readonly layersBy?: LayersBy;
  readonly clock?: Clock;
}

type Waiting = PromiseWithResolvers<number | undefined>;

/** The thread is there in 50 ms on an idle host. */
const startMs = 30_000;

/** A mount takes less than a few milliseconds. One that takes so long waits for a disk that does not answer. */
const answerMs = 60_000;

export class Mounter {
  readonly #thread: Worker;
  readonly #clock: Clock;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #closing: Promise<void> | undefined;
  #ended: Error | undefined;
  /** How this host's overlayfs is told its layers. */
  readonly layersBy: LayersBy;

  private constructor(thread: Worker, layersBy: LayersBy, clock: Clock) {
    this.#thread = thread;
    this.layersBy = layersBy;
    this.#clock = clock;
    thread.unref(); // it keeps the process alive only while somebody waits for an answer
    thread.on("message", (message: FromThread) => this.#hear(message));
    thread.on("error", (error: Error) => this.#end(error));
    thread.on("exit", () => this.#end(new Error("the mount thread has ended")));
  }

  /** Rejects with the failed call where this process has no right to mount. */
  static async start(options: MounterOptions = {}): Promise<Mounter> {
    const { clock = systemClock } = options;
    await stat("/"); // the runtime's pool of threads is born of this thread, not of the one that changes its ids
    const file = import.meta.url.endsWith(".ts") ? "./mount-thread.ts" : "./mount-thread.js";
    const thread = new Worker(new URL(file, import.meta.url), {
      name: "mounts",
      trackUnmanagedFds: false, // its descriptors are made by system calls of its own
      workerData: { layersBy: options.layersBy } satisfies ThreadOptions,
    });
    const started = Promise.withResolvers<LayersBy>();
    thread.once("message", (message: FromThread) => {
      if (message.kind === "ready") started.resolve(message.layersBy);
      else if (message.kind === "failed") started.reject(errorOf(message.failure));
    });
    thread.once("error", started.reject);
    thread.once("exit", () => started.reject(new Error("the mount thread ended before it could mount")));
    using _patience = clock.timer(startMs, () =>
      started.reject(new Error(`the mount thread has not started in ${startMs / 1000} s`)),
    );
    try {
      return new Mounter(thread, await started.promise, clock);
    } catch (error) {
      await thread.terminate();
      throw error;
    }
  }

  /** Later mounts below the target appear in a container whose root is a slave of it. */
  async mountRoot(mount: RootMount): Promise<void> {
    await this.#ask({ kind: "mountRoot", mount });
  }

  async bind(mount: BindMount): Promise<void> {
    await this.#ask({ kind: "bind", mount });
  }

  /** To be called once for a root: what is shown already is not looked at again. */
  async show(tree: TreeMount): Promise<void> {
    await this.#ask({ kind: "show", tree });
  }

  /**
   * Takes away what is mounted on `target` and below it; nothing happens when nothing is. It is out of sight at once, and
   * ends with the last process that uses it.
   */
  async unmount(target: string): Promise<void> {
    await this.#ask({ kind: "detach", folder: target, itself: true });
  }

  /**
   * Shows a mount in the place of another one and of all its clones below a folder, unless a process still uses one of them:
   * an open file, a working folder, a map. Answers what is left of the old one; undefined when it is used: then, and when
   * it rejects, all is as it was. The processes that could use them must stand still meanwhile.
   */
  async swap(swap: MountSwap): Promise<LeftMount | undefined> {
    const descriptor = await this.#ask({ kind: "swap", swap });
    return descriptor === undefined ? undefined : new LeftMount(descriptor, swap.old);
  }

  /** Takes away all mounts below a folder, but not one on the folder itself. */
  async unmountBelow(folder: string): Promise<void> {
    await this.#ask({ kind: "detach", folder, itself: false });
  }

  /** Finishes what was asked for and ends the thread; what is mounted stays. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const last = [...this.#waiting.values()].map((waiting) => waiting.promise);
    await Promise.allSettled(last);
    await this.#thread.terminate();
  }

  #ask(request: MountRequest): Promise<number | undefined> {
    if (this.#closing !== undefined) return Promise.reject(new Error("the mounter is closed"));
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    const id = ++this.#lastId;
    const answer = Promise.withResolvers<number | undefined>();
    const timer = this.#clock.timer(answerMs, () => {
      answer.reject(new Error(`${request.kind} of ${objectOf(request)} has no answer after ${answerMs / 1000} s`));
    });
    this.#waiting.set(id, answer);
    this.#thread.ref();
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    this.#thread.postMessage({ id, request } satisfies ToThread);
    return answer.promise.finally(() => {
      timer[Symbol.dispose]();
      this.#waiting.delete(id);
      if (this.#waiting.size === 0) this.#thread.unref();
    });
  }

  #hear(message: FromThread): void {
    if (message.kind === "ready" || message.id === undefined) return;
    const waiting = this.#waiting.get(message.id); // gone when its time was up
    if (message.kind === "done") waiting?.resolve(message.value);
    else waiting?.reject(errorOf(message.failure));
  }

  #end(error: Error): void {
    this.#ended ??= error;
    for (const waiting of this.#waiting.values()) waiting.reject(error);
  }
}

function objectOf(request: MountRequest): string {
  switch (request.kind) {
    case "detach":
      return request.folder;
    case "bind":
      return request.mount.path;
    case "show":
      return request.tree.source;
    case "mountRoot":
      return request.mount.target;
    case "swap":
      return request.swap.old;
  }
}
