/**
 * Makes images of what this host has and can install: a base system of Debian's packages, with a Python that the host
 * has, or with the distribution's own where the host's has no optimized build.
 */
import { PlatformError } from "@lydian/kit";

import type { Layer } from "../layers/index.ts";
import type { Interpreters } from "../runners/interpreters.ts";
import { debianRecipe, type Release, release as releaseOf } from "./debian.ts";
import { distributionPythonRecipe } from "./distribution-python.ts";
import { describePython, isDistributions, isOptimized } from "./host-python-files.ts";
import { hostPythonRecipe } from "./host-python.ts";
import { plainConfig, pythonConfig } from "./image-config.ts";
import type { LayerBuilds, LayerRecipe, Customer } from "./layer-builds.ts";
import { madeHere, type MadeImage } from "./made-image.ts";
import type { OfflineImage } from "./offline-images.ts";
import type { PackageSettings } from "./package-settings.ts";
import { type FileMark, markOf } from "./stack-records.ts";
import { type StandaloneName, standaloneRecipe } from "./standalone-python.ts";
import { uvRecipe } from "./uv-image.ts";

export interface HostImagesOptions {
  readonly builds: LayerBuilds;
  readonly interpreters: Interpreters;
  readonly settings: () => Promise<PackageSettings>;
  readonly release: () => Promise<Release>;
}

type PythonImage = Extract<OfflineImage, { kind: "python" }>;

export class HostImages {
  readonly #builds: LayerBuilds;
  readonly #interpreters: Interpreters;
  readonly #settings: () => Promise<PackageSettings>;
  readonly #release: () => Promise<Release>;

  constructor(options: HostImagesOptions) {
    this.#builds = options.builds;
    this.#interpreters = options.interpreters;
    this.#settings = options.settings;
    this.#release = options.release;
  }

  async make(image: OfflineImage, customer: Customer): Promise<MadeImage> {
    switch (image.kind) {
      case "debian": {
        const base = debianRecipe(releaseOf(image.codename), this.#settings);
        const layers = await this.#builds.makeStack([base], customer);
        return madeHere(layers, { ...plainConfig, cmd: [image.shell] });
      }
      case "uv": {
        const recipe = await uvRecipe(image.version, this.#interpreters, customer);
        const layers = await this.#builds.makeStack([recipe], customer);
        return madeHere(layers, { ...plainConfig, entrypoint: ["/uv"] });
      }
      case "python":
        return await this.#makePython(image, customer);
    }
  }

  /** The layer with a Python of this host that can be copied onto other images, below /python. */
  async standalone({ python, release }: StandaloneName, customer: Customer): Promise<Layer> {
    const interpreter = await this.#interpreters.find(python);
    const found = await describePython(interpreter);
    if (isDistributions(found)) {
      throw new PlatformError(`${interpreter.program} belongs to the distribution and cannot be copied onto an image`, {
        hint: `install another Python ${python}, as pyenv does, or begin with an image that has one`,
      });
    }
    const base = debianRecipe(await this.#release(), this.#settings);
    const recipe = standaloneRecipe(base, found, { mark: await markOf(interpreter.program), release });
    const [layer] = await this.#builds.makeStack([base, recipe], customer);
    if (layer === undefined) throw new Error("a stack of two recipes has no layer");
    return layer;
  }

  async #makePython(image: PythonImage, customer: Customer): Promise<MadeImage> {
    const base = debianRecipe(releaseOf(image.codename), this.#settings);
    const { ways, missing } = await this.#ways(base, image);
    if (ways.length > 0) await this.#builds.makeStack([base], customer);
    for (const [index, way] of ways.entries()) {
      try {
        const layers = await this.#builds.makeStack([base, way.recipe], customer);
        customer.say(wordsOf(image, way));
        return madeHere(layers, pythonConfig, way.madeFrom);
      } catch (error) {
        customer.signal.throwIfAborted();
        const next = ways[index + 1];
        if (!(error instanceof PlatformError) || next === undefined) throw error;
        customer.say(`${error.message}; ${next.whose} own is taken instead`);
      }
    }
    throw new PlatformError(
      `there is no image with Python ${image.python}: ${missing?.message ?? "this host has none"}`,
      {
        hint:
          `install Python ${image.python} so that python${image.python} is on the worker's PATH, choose a version that ` +
          "is there, or let the worker reach an OCI registry",
        cause: missing,
      },
    );
  }

  /** How it can be made on this host, the best way first. */
  async #ways(
    base: LayerRecipe,
    { python, codename }: PythonImage,
  ): Promise<{ ways: Way[]; missing: PlatformError | undefined }> {
    const host = await this.#release();
    const release = host.codename === codename ? host : releaseOf(codename);
    const ways: Way[] = [];
    let isHostsFirst = false;
    let missing: PlatformError | undefined;
    try {
      const interpreter = await this.#interpreters.find(python);
      const found = await describePython(interpreter);
      if (isDistributions(found)) {
        missing = new PlatformError(`${interpreter.program} belongs to the distribution and cannot be copied`);
      } else {
        const madeFrom = await markOf(interpreter.program);
        const recipe = hostPythonRecipe(base, found, madeFrom);
        ways.push({ whose: "this host's", version: found.version, recipe, madeFrom });
        isHostsFirst = await isOptimized(interpreter);
      }
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error;
      missing = error;
    }
    if (release.python === python) {
      const recipe = distributionPythonRecipe(base, { ...release, python }, this.#settings);
      const way: Way = { whose: "the distribution's", version: python, recipe, madeFrom: undefined };
      if (isHostsFirst) ways.push(way);
      else ways.unshift(way);
    }
    return { ways, missing };
  }
}

interface Way {
  readonly whose: string;
  /** As exactly as it is known before the layer is made. */
  readonly version: string;
  /** Of the layer on the base system. */
  readonly recipe: LayerRecipe;
  readonly madeFrom: FileMark | undefined;
}

/** Names what differs from what was asked for. */
function wordsOf({ asked, codename, version }: PythonImage, way: Way): string {
  const differs = [
    ...(version !== undefined && version !== way.version ? [`not ${version}`] : []),
    ...(asked !== undefined && asked !== codename ? [`not on ${asked}`] : []),
  ];
  const but = differs.length === 0 ? "" : ` (${differs.join(", ")})`;
  return `The image is made on this host: ${way.whose} Python ${way.version} on ${codename}${but}`;
}
