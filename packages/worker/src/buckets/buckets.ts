/** The buckets of this worker's containers: mounted at their start, and gone with them. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { type Clock, type Logger, PlatformError, textOf } from "@lydian/kit";

import type { ContainerPlace } from "../container/folder.ts";
import { allSettledWell } from "../runtime/runc/settled.ts";
import type { Mounter } from "../layers/index.ts";
import type { ContainerRoot } from "../volumes/volume-mount.ts";
import { BucketTool } from "./bucket-tool.ts";
import { MountedBucket, type MountedBucketDeps } from "./mounted-bucket.ts";
import type { BucketMount } from "./tool-words.ts";

export interface BucketsOptions {
  /** The path of rclone; undefined where buckets cannot be mounted. */
  readonly tool: string | undefined;
  /** Stores that are reached though containers do not reach them: origins. */
  readonly stores: readonly string[];
  readonly mounter: Mounter;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class Buckets {
  readonly #deps: MountedBucketDeps | undefined;
  readonly #held = new Map<string, readonly MountedBucket[]>();

  constructor({ tool: program, stores, mounter, clock, logger }: BucketsOptions) {
    if (program === undefined) return;
    this.#deps = { tool: new BucketTool({ program, stores, clock }), mounter, clock, logger };
  }

  get isPossible(): boolean {
    return this.#deps !== undefined;
  }

  /** Answers what mounts them. Throws a PlatformError for people. */
  prepare(place: ContainerPlace, mounts: readonly BucketMount[]): (root: ContainerRoot) => Promise<void> {
    this.discard(place.id);
    const deps = this.#deps;
    if (deps === undefined) {
      throw new PlatformError("this worker cannot mount buckets", {
        hint: "install rclone and fuse3 on its machine (Debian: apt-get install rclone fuse3), and start the platform again",
      });
    }
    return async (root) => {
      await write(root, mounts);
      const held = mounts.map((mount, i) => new MountedBucket(deps, mount, root, nameOf(i)));
      this.#held.set(place.id, held);
      const checks = mounts.map((mount) => deps.tool.check(mount));
      await allSettledWell([...held.map((bucket) => bucket.begin()), ...checks]); // or one would begin when all is cleared
    };
  }

  /** Of a container of a worker before; without a root nothing of it runs any more. */
  async adopt(place: ContainerPlace, root: ContainerRoot | undefined): Promise<void> {
    const deps = this.#deps;
    if (root === undefined || deps === undefined) return;
    const mounts = await read(root);
    if (mounts.length === 0) return;
    const held = mounts.map((mount, i) => new MountedBucket(deps, mount, root, nameOf(i)));
    this.#held.set(place.id, held);
    await Promise.all(held.map((bucket) => bucket.adopt()));
  }

  /** The container's processes are told to go. */
  hurry(containerId: string): void {
    for (const bucket of this.#held.get(containerId) ?? []) bucket.hurry();
  }

  /** They are gone, and so are its mounts. */
  async finish(containerId: string): Promise<void> {
    const held = this.#held.get(containerId);
    if (held === undefined) return;
    await Promise.all(held.map((bucket) => bucket.finish()));
    this.#held.delete(containerId);
  }

  discard(containerId: string): void {
    for (const bucket of this.#held.get(containerId) ?? []) bucket.leave();
    this.#held.delete(containerId);
  }

  /** Leaves the containers' as they are, for the next worker. */
  close(): void {
    for (const id of this.#held.keys()) this.discard(id);
  }
}

const nameOf = (i: number): string => `bucket-${i}`;

/** It has keys: in memory, not on the disk, and gone with all that is beside the root. */
const recordOf = ({ beside }: ContainerRoot): string => join(beside, "buckets.json");

async function write(root: ContainerRoot, mounts: readonly BucketMount[]): Promise<void> {
  await mkdir(root.beside, { recursive: true, mode: 0o700 });
  const plain = mounts.map(({ credentials, ...mount }) => ({
    ...{ ...mount, $typeName: undefined },
    ...(credentials && { credentials: { ...credentials, $typeName: undefined } }),
  }));
  await writeFile(recordOf(root), JSON.stringify(plain), { mode: 0o600 });
}

async function read(root: ContainerRoot): Promise<BucketMount[]> {
  return JSON.parse((await textOf(recordOf(root))) ?? "[]") as BucketMount[];
}
