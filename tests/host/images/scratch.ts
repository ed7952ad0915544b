/** What the tests of images share: stores, people who wait, and a look at the host when all is over. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

import { silentLogger, systemClock } from "@lydian/kit";

import { BaseImages, type BaseImagesOptions } from "@lydian/worker/src/images/base-images";
import type { Customer, Waiting } from "@lydian/worker/src/images/layer-builds";
import { type Layer, LayerStore } from "@lydian/worker/src/layers/index";
import { Interpreters } from "@lydian/worker/src/runners/interpreters";

export const needsRoot = process.getuid?.() === 0 ? {} : { skip: "layers need root" };

/** What all platforms of this host share; a first run fills it. */
export const cache = process.env["LYDIAN_CACHE"] ?? "/var/cache/lydian";

export async function scratchFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "lydian-images-"));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

/** Images with everything in one folder. */
export async function imagesIn(folder: string, options: Partial<BaseImagesOptions> = {}): Promise<BaseImages> {
  const layers = await LayerStore.open(join(folder, "layers"));
  const fixed = { layers, folder: join(folder, "images"), clock: systemClock, logger: silentLogger };
  return new BaseImages({ ...fixed, registry: undefined, ...options });
}

/** The layers of the default image with this minor version of Python, such as "3.11", topmost first. */
export async function pythonStack(images: BaseImages, python: string, waiting: Waiting): Promise<readonly Layer[]> {
  return (await images.resolve(`python:${python}-slim-bookworm`, waiting)).layers;
}

/** A host without any Python. */
export const noInterpreters = new Interpreters(() => Promise.resolve([]));

/** Nobody removes layers in these tests, so none is held. */
export function waiter(): Customer & { lines: string[]; leave: () => void } {
  const abort = new AbortController();
  const lines: string[] = [];
  const leave = (): void => abort.abort(new Error("left"));
  const lease = { hold: async () => true };
  return { lines, say: (line) => lines.push(line), signal: abort.signal, lease, leave };
}
