/**
 * A warm starter: a container that is nobody's yet, in which an interpreter has imported the client, or Node the runner, already
 * (starter/starter.py, starter.mjs). Taken, it gets a container's files, limits and network door, is told what to run, and is that
 * container. It serves once: nothing of one app is ever in a starter that another one takes.
 */
import { chmod, mkdir, open, readFile, rm } from "node:fs/promises";
import { once } from "node:events";
import net from "node:net";
import { dirname, join } from "node:path";

import { type Clock, PlatformError, removeBelow } from "@lydian/kit";

import { whenAborted } from "../abort.ts";
import { ImageGoneError } from "../image-gone.ts";
import type { KnownImages } from "../builds/images.ts";
import { DoorSocket } from "../container/door-socket.ts";
import { type ContainerPlace, doorsFolder, startersFolder } from "../container/folder.ts";
import type { ClientPackages } from "../runners/client-packages.ts";
import type { PackagedNode } from "../runners/packaged-node.ts";
import type { ContainerProcess, HandOver, Layout, ProcessSpec, Runtime } from "../runtime/runtime.ts";
import type { ContentCache } from "../content.ts";
import { layMounts } from "../container/mounts.ts";
import type { StarterKind } from "./kind.ts";
import { goName, starterProgram } from "./program.ts";

export type StarterRuntime = Runtime & Required<Pick<Runtime, "handOver">>;

/** What starters take from the worker. */
export interface StarterHost {
  readonly data: string;
  readonly runtime: StarterRuntime;
  readonly clients: ClientPackages;
  readonly node: PackagedNode;
  readonly content: Pick<ContentCache, "file">;
  readonly images: Pick<KnownImages, "find">;
  /** The most that a container has. */
  readonly memoryMib: number;
  readonly clock: Clock;
}

/** What the import may take at the lowest priority on a busy host, and what reading one line may. */
const importMs = 300_000;
const answerMs = 60_000;

/** Of the log of one that could not be started. */
const shownCharacters = 2000;

export class Starter {
  readonly place: ContainerPlace;
  /** The mount whose files it has already. */
  readonly shown: string | undefined;
  readonly process: ContainerProcess;
  /** Of the door that it will have: its keeper has it from the start. */
  readonly socket: DoorSocket;
  readonly #host: StarterHost;
  readonly #layout: Layout;
  readonly #go: net.Socket;
  readonly #ended = new AbortController();
  /** The paths of the files that it has as another's. */
  readonly #laid: string[] = [];

  private constructor(parts: {
    place: ContainerPlace;
    kind: StarterKind;
    host: StarterHost;
    layout: Layout;
    process: ContainerProcess;
    socket: DoorSocket;
    go: net.Socket;
  }) {
    this.place = parts.place;
    this.shown = parts.kind.runner === "node" ? parts.kind.mount.manifestSha256 : undefined;
    this.process = parts.process;
    this.socket = parts.socket;
    this.#host = parts.host;
    this.#layout = parts.layout;
    this.#go = parts.go;
    this.#go.on("error", () => this.#ended.abort());
    this.#go.on("close", () => this.#ended.abort());
    void this.process.end.then(() => this.#ended.abort());
  }

  /** Resolves when it has imported its program; leaves nothing when it rejects. */
  static async start(
    place: ContainerPlace,
    kind: StarterKind,
    host: StarterHost,
    signal: AbortSignal,
  ): Promise<Starter> {
    let socket: DoorSocket | undefined;
    try {
      await mkdir(place.folder, { recursive: true, mode: 0o700 });
      await (await open(place.logFile, "a", 0o600)).close();
      socket = await DoorSocket.bind(place.doorFile);
      const image = await host.images.find(kind.imageId);
      if (image === undefined) throw new ImageGoneError(`image ${kind.imageId} is not on this worker`);
      const layout = await host.runtime.lay(place, {
        image,
        resources: { memoryMib: host.memoryMib },
        isSpare: true,
        door: (inside) => inside.destroy(),
        signal,
      });
      if (kind.runner === "node") {
        await layMounts([kind.mount], { content: host.content, places: layout, signal });
        await layout.showFiles?.();
      }
      await using listener = await listenOnce(join(dirname(place.doorFile), goName));
      const program = await starterProgram({ ...host, id: place.id, kind, layout, signal });
      const process = await host.runtime.start(place, program, socket);
      const ended = process.end.then(async (end) => {
        const log = await readFile(place.logFile, "utf8");
        throw new PlatformError(`it ended before it was ready (${end.reason}): ${log.slice(-shownCharacters)}`);
      });
      const stopped = whenAborted(signal).then(() => Promise.reject(signal.reason as Error));
      const go = await within(importMs, "its program was not imported", host.clock, [
        listener.connection,
        ended,
        stopped,
      ]);
      return new Starter({ place, kind, host, layout, process, socket, go });
    } catch (error) {
      await socket?.close();
      await discard(place, host);
      throw error;
    }
  }

  /** Aborts when it has ended. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  /** Makes it another's; answers where the files of that container are to be laid. */
  async become(to: ContainerPlace, request: HandOver): Promise<Layout> {
    const files = await this.#host.runtime.handOver(to, request);
    const layout = this.#layout;
    return {
      home: layout.home,
      environment: layout.environment,
      serverUrl: layout.serverUrl,
      ...(layout.workdir !== undefined && { workdir: layout.workdir }),
      hostPath: (path) => {
        this.#laid.push(path);
        return files.hostPath(path);
      },
      showFiles: async () => await files.showFiles?.(),
      addFile: (name, bytes) => layout.addFile(name, bytes),
      addFolder: async (name) => `/${name}`, // shown already: what is shown is a part of its kind
      python: (minor) => layout.python(minor),
    };
  }

  /** Lets it become the program, with the files that have been shown. */
  async run(spec: ProcessSpec): Promise<ContainerProcess> {
    const { argv, env, cwd } = spec;
    const ready = once(this.#go, "data");
    this.#go.write(`${JSON.stringify({ argv, env, cwd, laid: this.#laid })}\n`);
    const ended = whenAborted(this.ended).then(() => {
      throw new PlatformError("the starter ended when it was to start the container");
    });
    await within(answerMs, "the starter did not take what it was told", this.#host.clock, [ready, ended]);
    this.#go.destroy();
    return this.process;
  }

  /** Ends one that nobody has taken. */
  async drop(): Promise<void> {
    this.#go.destroy();
    await this.socket.close();
    await discard(this.place, this.#host);
  }
}

/** The first of these, or an error when there is none in time. */
async function within<T>(ms: number, failure: string, clock: Clock, events: readonly Promise<T>[]): Promise<T> {
  const late = Promise.withResolvers<never>();
  using _patience = clock.timer(ms, () => late.reject(new PlatformError(`${failure} in ${ms} ms`)));
  return await Promise.race([...events, late.promise]);
}

/** The first connection to a socket; nobody else gets one. */
async function listenOnce(file: string): Promise<{ connection: Promise<net.Socket> } & AsyncDisposable> {
  const listener = net.createServer();
  listener.maxConnections = 1;
  const connection = (once(listener, "connection") as Promise<[net.Socket]>).then(([socket]) => socket);
  listener.listen(file);
  await once(listener, "listening");
  await chmod(file, 0o666); // as for a door, its folder's place bars the way to all others
  return {
    connection,
    async [Symbol.asyncDispose]() {
      listener.close();
      await rm(file, { force: true });
    },
  };
}

async function discard(place: ContainerPlace, { runtime, data }: StarterHost): Promise<void> {
  await runtime.clear(place);
  await removeBelow(doorsFolder(data), dirname(place.doorFile));
  await removeBelow(startersFolder(data), place.folder);
}
