/** Builds on the real runtime, with the tests' Debian as the one image that a name stands for. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import * as wire from "@lydian/contract/worker";
import { createLogger, idMaker, PlatformError, systemClock } from "@lydian/kit";
import { Build, type BuildHost } from "@lydian/worker/src/builds/build";
import { Images } from "@lydian/worker/src/builds/images";
import { makeImage, type RecipeHost } from "@lydian/worker/src/builds/recipe";
import type { BaseImage } from "@lydian/worker/src/images/index";

import { outputOf, type Rig } from "../runc/rig.ts";

type Recipe = Exclude<MessageInitShape<typeof wire.ImageRecipeSchema>, { $typeName: string }>;

export interface Made {
  readonly exit: wire.Exit;
  readonly imageId: string;
  /** What the steps said on stdout and what the build itself said. */
  readonly said: string;
  readonly told: string;
}

export class BuildRig {
  readonly rig: Rig;
  readonly images: Images;
  readonly host: BuildHost;
  #count = 0;

  private constructor(rig: Rig, images: Images, host: BuildHost) {
    this.rig = rig;
    this.images = images;
    this.host = host;
  }

  static async open(rig: Rig, changes: Partial<RecipeHost> = {}): Promise<BuildRig> {
    const { data } = rig.identity;
    const images = await Images.open(join(data, "images"), rig.layers);
    const newId = idMaker(() => Date.now());
    const resolve = async (name: string): Promise<BaseImage> => {
      if (name === "debian") return { ...rig.image, digest: "debian of the tests" };
      throw new PlatformError(`there is no image ${name}`);
    };
    const recipeHost: RecipeHost = {
      clients: { find: () => Promise.reject(new PlatformError("there is no client")) },
      node: { tools: () => Promise.reject(new PlatformError("there is no Node")) },
      capacity: { milliCpu: 2000n, memoryMib: 2048n },
      settings: async () => ({ binds: [], files: [], environment: {}, warnings: [], sources: [], codename: "" }),
      resources: {},
      pythonImage: async () => "debian",
      bases: { resolve, standalonePython: () => Promise.reject(new PlatformError("there is none")) },
      content: { file: () => Promise.reject(new PlatformError("there is no content")) },
      ...{ runtime: rig.runtime, layers: rig.layers, mounter: rig.mounter, images },
      clock: systemClock,
      ...changes,
    };
    const host: BuildHost = {
      data,
      server: { host: "127.0.0.1", port: 0 },
      newId: () => newId("ta"),
      maker: { images, make: (request, customer) => makeImage(request, recipeHost, customer) },
      clock: systemClock,
      logger: createLogger("test", "warn"),
    };
    return new BuildRig(rig, images, host);
  }

  nextId(): string {
    return `im-${process.pid}x${++this.#count}`;
  }

  /** `below` are the images that it stands on. */
  async begin(recipe: Recipe, force = false, below: readonly Recipe[] = []): Promise<Build> {
    const imageId = recipe.imageId ?? this.nextId();
    const build = create(wire.BuildSchema, { recipes: [...below, { ...recipe, imageId }], force });
    return await Build.begin({ containerId: imageId, fence: `f${this.#count}`, doorSecret: "" }, build, this.host);
  }

  /** Makes an image, and leaves nothing but that. */
  async make(recipe: Recipe, force = false, below: readonly Recipe[] = []): Promise<Made> {
    const build = await this.begin(recipe, force, below);
    await new Promise((resolve) => build.gone.addEventListener("abort", resolve));
    const log = await readFile(build.logFile, "utf8");
    await build.release();
    if (build.exit === undefined) throw new Error("the build is gone without an end");
    return { exit: build.exit, imageId: build.id, said: outputOf(log), told: outputOf(log, "system") };
  }

  /** What a command says in a container of an image. */
  async run(imageId: string, script: string): Promise<string> {
    const image = await this.images.find(imageId);
    if (image === undefined) throw new Error(`there is no image ${imageId}`);
    const place = await this.rig.place();
    try {
      const { runtime } = this.rig;
      const door = (inside: { destroy(): unknown }): void => void inside.destroy();
      await runtime.lay(place, { image, resources: {}, door, signal: AbortSignal.timeout(60_000) });
      const env = { ...image.config.env };
      const process = await runtime.start(place, { argv: ["/bin/sh", "-c", script], env, cwd: image.config.workdir });
      await process.end;
      return outputOf(await readFile(place.logFile, "utf8"));
    } finally {
      await this.rig.runtime.clear(place);
    }
  }
}
