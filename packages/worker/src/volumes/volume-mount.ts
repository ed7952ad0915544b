/** How a volume is mounted in one container: once, beside its root, and shown inside of it at one or several points. */
import { mkdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";

import type { Frozen } from "../cgroups/cgroups.ts";
import { clonesOf, type IdMap, isMounted, type Layer, type LeftMount, type Mounter } from "../layers/index.ts";
import type { MountedState, VolumePoint } from "./volume-record.ts";

/** A container's root, as its runtime has it. */
export interface ContainerRoot {
  /** Where it is mounted on the host. */
  readonly root: string;
  /** A folder beside it, which goes with it. */
  readonly beside: string;
  readonly idMap: IdMap | undefined;
  freeze(): Promise<Frozen>;
  /** Lets it go on, whoever froze it. */
  thaw(): Promise<void>;
  pids(): Promise<number[]>;
}

export interface VolumeMountOptions {
  readonly mounter: Mounter;
  readonly root: ContainerRoot;
  readonly volumeId: string;
  readonly points: readonly VolumePoint[];
  /** Of the uppers. */
  readonly folder: string;
}

export class VolumeMount {
  readonly #options: VolumeMountOptions;

  constructor(options: VolumeMountOptions) {
    this.#options = options;
  }

  /** Also an upper that was mounted before. */
  async mount(mounted: MountedState, lowers: readonly Layer[]): Promise<void> {
    // Marked as volatile by a mount that was taken away again; of this boot, so the upper is what was written.
    await rm(join(this.#workOf(mounted), "w"), { recursive: true, force: true });
    await this.prepare(mounted, lowers);
    await this.showMissing(mounted);
  }

  /** Mounts a state under an upper that is not there yet, and does not show it. */
  async prepare(mounted: MountedState, lowers: readonly Layer[]): Promise<void> {
    const { mounter, root } = this.#options;
    const target = this.#targetOf(mounted);
    await mkdir(target, { recursive: true, mode: 0o700 });
    await mounter.mountRoot({
      ...{ lowers, work: this.#workOf(mounted), target, volatile: true, redirects: true },
      ...(root.idMap && { idMap: root.idMap }),
    });
  }

  /** Shows a state that is mounted in the place of another; undefined while files of that are in use. The container stands still. */
  async swap(before: MountedState, next: MountedState): Promise<LeftMount | undefined> {
    const { mounter, root, points } = this.#options;
    return await mounter.swap({
      old: this.#targetOf(before),
      below: root.root,
      next: this.#targetOf(next),
      points: points.map((point) => this.#shown(point)),
    });
  }

  /** Points that do not show it, of a mount that is there. */
  async showMissing(state: MountedState): Promise<void> {
    const { mounter, root, points } = this.#options;
    const source = this.#targetOf(state);
    const there = new Set(clonesOf(source, root.root));
    for (const point of points) {
      if (!there.has(join(root.root, point.path))) await mounter.bind({ ...this.#shown(point), source });
    }
  }

  async detach(state: Pick<MountedState, "upper">): Promise<void> {
    const { mounter, root } = this.#options;
    const mount = this.#targetOf(state);
    for (const point of clonesOf(mount, root.root)) await mounter.unmount(point);
    await mounter.unmount(mount);
  }

  isThere(state: MountedState): boolean {
    return isMounted(this.#targetOf(state));
  }

  isWhole(state: MountedState): boolean {
    return clonesOf(this.#targetOf(state), this.#options.root.root).length === this.#options.points.length;
  }

  /** Of its file system. */
  async deviceOf(state: MountedState): Promise<number> {
    return (await stat(this.#targetOf(state))).dev;
  }

  #shown({ path, readOnly, subPath }: VolumePoint) {
    return { path, readOnly, root: this.#options.root.root, ...(subPath !== "" && { within: subPath }) };
  }

  #workOf({ upper }: MountedState): string {
    return join(this.#options.folder, String(upper));
  }

  #targetOf({ upper }: Pick<MountedState, "upper">): string {
    return join(this.#options.root.beside, `${this.#options.volumeId}-${upper}`);
  }
}
