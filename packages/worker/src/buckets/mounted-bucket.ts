/** One bucket in one container: mounted beside its root and shown inside of it, and again whenever its process dies. */
import { execFile } from "node:child_process";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { backoffMs, type Clock, type Logger, messageOf, type Timer } from "@lydian/kit";

import { clonesOf, isMounted, type Mounter } from "../layers/index.ts";
import { watchWriters } from "../runtime/writer-watch.ts";
import { endProcessesAt, processesAt } from "../runtime/runc/stragglers.ts";
import type { ContainerRoot } from "../volumes/volume-mount.ts";
import type { BucketTool } from "./bucket-tool.ts";
import type { BucketMount } from "./tool-words.ts";

const run = promisify(execFile);

const retry = { initialMs: 200, factor: 2, maxMs: 30_000 };
/** When nothing of the container should need it any more, it is waited for so long. */
const graceMs = 10_000;

export interface MountedBucketDeps {
  readonly tool: BucketTool;
  readonly mounter: Mounter;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class MountedBucket {
  readonly #deps: MountedBucketDeps;
  readonly #mount: BucketMount;
  readonly #root: ContainerRoot;
  readonly #folder: string;
  #watch: { close(): void } | undefined;
  #timer: Timer | undefined;
  #gone = Promise.withResolvers<void>();
  #isOver = false;
  #tries = 0;

  /** `name`: its own among those of the container. */
  constructor(deps: MountedBucketDeps, mount: BucketMount, root: ContainerRoot, name: string) {
    this.#deps = deps;
    this.#mount = mount;
    this.#root = root;
    this.#folder = join(root.beside, name);
  }

  async begin(): Promise<void> {
    await this.#start();
    await this.#show();
  }

  async #start(): Promise<void> {
    await mkdir(this.#target, { recursive: true, mode: 0o700 });
    await rm(this.#fifo, { force: true });
    await run("mkfifo", ["-m", "600", this.#fifo]);
    const owner = this.#root.idMap?.base ?? 0;
    const place = { target: this.#target, owner, logFile: join(this.#folder, "log") };
    await this.#deps.tool.mount(this.#mount, place, this.#fifo);
    this.#listen();
  }

  async #show(): Promise<void> {
    const { path, readOnly } = this.#mount;
    await this.#deps.mounter.bind({ source: this.#target, root: this.#root.root, path, readOnly });
  }

  /** Of a worker before. */
  async adopt(): Promise<void> {
    const running = await processesAt(this.#folder, [this.#deps.tool.program]);
    if (running.length > 0 && isMounted(this.#target)) this.#listen();
    else await this.#again();
  }

  /** Nothing needs it soon: what then still waits for the store is cut off. */
  hurry(): void {
    this.#isOver = true;
    this.#timer?.[Symbol.dispose]();
    this.#timer = this.#deps.clock.timer(graceMs, () => void this.#kill()).unref();
  }

  /** Its mounts are gone. */
  async finish(): Promise<void> {
    this.#isOver = true;
    const { clock } = this.#deps;
    using _patience = clock.timer(graceMs, () => this.#gone.resolve());
    if (this.#watch !== undefined) await this.#gone.promise;
    await this.#kill();
    await this.#deps.mounter.unmount(this.#target); // of one that was just being started again
    this.leave();
  }

  /** It goes on, for the next worker. */
  leave(): void {
    this.#isOver = true;
    this.#watch?.close();
    this.#timer?.[Symbol.dispose]();
  }

  get #target(): string {
    return join(this.#folder, "mounted");
  }

  get #fifo(): string {
    return join(this.#folder, "alive");
  }

  #listen(): void {
    this.#gone = Promise.withResolvers<void>();
    this.#watch?.close();
    this.#watch = watchWriters(this.#fifo, () => {
      this.#watch = undefined;
      this.#gone.resolve();
      if (this.#isOver) return;
      this.#deps.logger.warn({ bucket: this.#mount.bucket }, "the process that mounts a bucket has died");
      void this.#again();
    });
  }

  /**
   * What the container has open of it is lost; by its path it is there again. Until then all of it is an error, and never the
   * empty folder that is below.
   */
  async #again(): Promise<void> {
    const { clock, logger, mounter } = this.#deps;
    try {
      const { root } = this.#root;
      const dead = new Set([join(root, this.#mount.path), ...clonesOf(this.#target, root)]);
      await mounter.unmount(this.#target);
      await this.#start();
      const frozen = await this.#root.freeze();
      try {
        for (const point of dead) await mounter.unmount(point);
        await this.#show();
      } finally {
        await frozen.thaw();
      }
      this.#tries = 0;
    } catch (error) {
      if (this.#isOver) return;
      const { bucket } = this.#mount;
      logger.warn(
        { bucket, error: messageOf(error) },
        "a bucket could not be mounted again, and soon is tried once more",
      );
      this.#timer = clock.timer(backoffMs(retry, ++this.#tries), () => void this.#again()).unref();
    }
  }

  /** The kernel then answers whoever waits for it. */
  async #kill(): Promise<void> {
    const { tool, clock, logger } = this.#deps;
    try {
      await endProcessesAt(this.#folder, [tool.program], clock);
    } catch (error) {
      logger.warn({ err: error, bucket: this.#mount.bucket }, "the process that mounts a bucket does not end");
    }
  }
}
