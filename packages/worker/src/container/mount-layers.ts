/**
 * Mounts of many files, as layers: laid once on an image for all containers that have both, instead of copied into each.
 * They lie on the image; what a container writes lies on them.
 */
import { readFile, rename } from "node:fs/promises";
import { join } from "node:path";

import { fromBinary } from "@bufbuild/protobuf";
import * as wire from "@lydian/contract/worker";

import { withRoot } from "../builds/copy-step.ts";
import type { ContentCache } from "../content.ts";
import { layerId } from "../images/index.ts";
import { type Layer, type LayerStore, type Mounter, sealDiff } from "../layers/index.ts";
import type { RootImage } from "../runtime/runtime.ts";
import { refuseSystemPath } from "../runtime/runc/runc-layout.ts";
import { layMounts } from "./mounts.ts";

/** From here on copying them takes longer than a starter saves. */
const manyFiles = 500;

/** There are few that are started again and again; then all of them begin anew. */
const mostChosen = 1000;

export interface Shown extends AsyncDisposable {
  /** Topmost first. They are not removed until this is disposed of. */
  readonly layers: readonly Layer[];
  /** The mounts that are to be copied. */
  readonly others: readonly wire.Mount[];
}

export class MountLayers {
  readonly #parts: { layers: LayerStore; mounter: Mounter; content: Pick<ContentCache, "file"> };
  /** Which of a container's mounts become layers, by the digests of all of them: read once, as manifests may be long. */
  readonly #chosen = new Map<string, ReadonlySet<string>>();

  constructor(parts: { layers: LayerStore; mounter: Mounter; content: Pick<ContentCache, "file"> }) {
    this.#parts = parts;
  }

  /** Whether some of them become layers, as far as is known. */
  hasLarge(mounts: readonly wire.Mount[]): boolean {
    return (this.#chosen.get(keyOf(mounts))?.size ?? 0) > 0;
  }

  async show(mounts: readonly wire.Mount[], image: RootImage, signal: AbortSignal): Promise<Shown> {
    const lease = this.#parts.layers.lease();
    const release = async (): Promise<void> => await lease[Symbol.asyncDispose]();
    try {
      const large = await this.#choose(mounts, signal);
      const layers: Layer[] = [];
      for (const mount of mounts.filter(({ manifestSha256 }) => large.has(manifestSha256))) {
        const id = layerId("mount", [mount.manifestSha256, image.layers.map((layer) => layer.id)]);
        const fill = (diff: string, scratch: string): Promise<void> =>
          this.#fill(mount, image, [diff, scratch], signal);
        layers.unshift(await lease.make(id, fill, signal));
      }
      const others = mounts.filter(({ manifestSha256 }) => !large.has(manifestSha256));
      return { layers, others, [Symbol.asyncDispose]: release };
    } catch (error) {
      await release();
      throw error;
    }
  }

  /** Those of many files; none where what is copied would win over a later one of them. */
  async #choose(mounts: readonly wire.Mount[], signal: AbortSignal): Promise<ReadonlySet<string>> {
    const key = keyOf(mounts);
    const known = this.#chosen.get(key);
    if (known !== undefined) return known;
    const copied = new Set<string>();
    const large = new Set<string>();
    for (const { manifestSha256 } of mounts) {
      const manifest = await this.#parts.content.file(manifestSha256, signal);
      const { files } = fromBinary(wire.ManifestSchema, await readFile(manifest));
      if (files.length >= manyFiles) large.add(manifestSha256);
      else for (const { path } of files) copied.add(path);
      if (large.has(manifestSha256) && files.some(({ path }) => copied.has(path))) {
        large.clear();
        break;
      }
    }
    if (this.#chosen.size === mostChosen) this.#chosen.clear();
    this.#chosen.set(key, large);
    return large;
  }

  /** On the image, so that its links are followed. */
  async #fill(
    mount: wire.Mount,
    { layers }: RootImage,
    [diff, scratch]: readonly [string, string],
    signal: AbortSignal,
  ): Promise<void> {
    const { content } = this.#parts;
    const work = join(scratch, "files");
    await withRoot(this.#parts, layers, work, async (root) => {
      const hostPath = (path: string): string => {
        refuseSystemPath(path);
        return root.hostPath(path);
      };
      await layMounts([mount], { content, layout: { hostPath }, signal });
    });
    sealDiff(join(work, "u"));
    await rename(join(work, "u"), diff);
  }
}

const keyOf = (mounts: readonly wire.Mount[]): string => mounts.map(({ manifestSha256 }) => manifestSha256).join(" ");
