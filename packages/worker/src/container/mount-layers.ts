/**
 * Mounts of many files, as layers: laid once on an image for all containers that have both, instead of copied into each.
 * They lie on the image, and other mounts lie on them. The clients name a function's mounts in no order, so which of two has a
 * path that both have is nobody's to say.
 *
 * Their files belong to an id beyond those that containers have, and whom a container does not know, its root cannot overrule:
 * it may read them, as all may. Their folders are the container's own. (Where the kernel cannot map ids, its root can all the same.)
 */
import { chmod, lchown, readFile, rename, stat } from "node:fs/promises";
import { join } from "node:path";

import { fromBinary } from "@bufbuild/protobuf";
import * as wire from "@lydian/contract/worker";

import { showFiles } from "../builds/shown-files.ts";
import type { ContentCache } from "../content.ts";
import { layerId } from "../images/index.ts";
import type { Layer, LayerLease, LayerStore, Mounter } from "../layers/index.ts";
import { forEachParallel } from "../parallel.ts";
import type { RootImage } from "../runtime/runtime.ts";

/** From here on copying them takes longer than a starter saves. */
const manyFiles = 500;

/** Containers have the ids below it. */
const nobody = 65_536;

/** How many files are given away at a time. */
const parallel = 16;

/** There are few that are mounted again and again; then all of them begin anew. */
const mostKnown = 1000;

export interface Shown extends AsyncDisposable {
  /** Topmost first. They are not removed until this is disposed of. */
  readonly layers: readonly Layer[];
  /** The mounts that are to be copied. */
  readonly others: readonly wire.Mount[];
}

export class MountLayers {
  readonly #parts: { layers: LayerStore; mounter: Mounter; content: Pick<ContentCache, "file"> };
  /** Whether a mount has so many files, by its manifest's digest: found out once, as manifests may be long. */
  readonly #isLarge = new Map<string, boolean>();

  constructor(parts: { layers: LayerStore; mounter: Mounter; content: Pick<ContentCache, "file"> }) {
    this.#parts = parts;
  }

  /** Whether some of them become layers, as far as is known. */
  hasLarge(mounts: readonly wire.Mount[]): boolean {
    return mounts.some(({ manifestSha256 }) => this.#isLarge.get(manifestSha256) === true);
  }

  async show(mounts: readonly wire.Mount[], image: RootImage, signal: AbortSignal): Promise<Shown> {
    const lease = this.#parts.layers.lease();
    const release = async (): Promise<void> => await lease[Symbol.asyncDispose]();
    try {
      const layers: Layer[] = [];
      const others: wire.Mount[] = [];
      for (const mount of mounts) {
        if (await this.#becomesLayer(mount, signal)) layers.unshift(await this.#layerOf(mount, image, lease, signal));
        else others.push(mount);
      }
      return { layers, others, [Symbol.asyncDispose]: release };
    } catch (error) {
      await release();
      throw error;
    }
  }

  async #layerOf(mount: wire.Mount, image: RootImage, lease: LayerLease, signal: AbortSignal): Promise<Layer> {
    const id = layerId("shut-mount", [mount.manifestSha256, image.layers.map((layer) => layer.id)]);
    const fill = async (diff: string, scratch: string): Promise<void> => {
      const { layer, paths } = await showFiles([mount], image.layers, join(scratch, "files"), this.#parts, signal);
      await forEachParallel(paths, parallel, (path) => shut(join(layer.diff, path)));
      await rename(layer.diff, diff);
    };
    return await lease.make(id, fill, signal);
  }

  async #becomesLayer({ manifestSha256 }: wire.Mount, signal: AbortSignal): Promise<boolean> {
    const known = this.#isLarge.get(manifestSha256);
    if (known !== undefined) return known;
    const manifest = await readFile(await this.#parts.content.file(manifestSha256, signal));
    const isLarge = fromBinary(wire.ManifestSchema, manifest).files.length >= manyFiles;
    if (this.#isLarge.size === mostKnown) this.#isLarge.clear();
    this.#isLarge.set(manifestSha256, isLarge);
    return isLarge;
  }
}

/** From here on it is nobody's in containers: what its owner may do with it all may, but for writing. */
async function shut(file: string): Promise<void> {
  const { mode } = await stat(file);
  const owners = (mode >> 6) & 0o5;
  await lchown(file, nobody, nobody);
  await chmod(file, (owners << 6) | (owners << 3) | owners);
}
