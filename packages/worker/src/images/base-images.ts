/**
 * The root file systems that functions get: Debian with a Python in /usr/local/bin and pip, as layers.
 *
 * What was made once is taken from then on, so an image does not change between two starts. Else `python:X.Y-slim` is
 * pulled where a registry answers; else the same is made of the packages that this host can install: with a Python that
 * the host has, or with the distribution's own where the host's has no optimized build.
 */
import { type Clock, type Logger, PlatformError } from "@lydian/kit";

import type { Layer, LayerStore } from "../layers/index.ts";
import { Interpreters } from "../runners/interpreters.ts";
import { debianRecipe, hostRelease, type Release } from "./debian.ts";
import { distributionPythonRecipe } from "./distribution-python.ts";
import { hostPythonRecipe } from "./host-python.ts";
import { describePython, isDistributions, isOptimized } from "./host-python-files.ts";
import { LayerBuilds, type LayerRecipe, type Waiting } from "./layer-builds.ts";
import { recipes } from "./layer-id.ts";
import { type PackageSettings, packageSettings } from "./package-settings.ts";
import { imageArchitecture } from "./registry/manifests.ts";
import { pullImage } from "./registry/pull.ts";
import { registryAnswers } from "./registry/registry-client.ts";
import { type FileMark, markOf, StackRecords } from "./stack-records.ts";

export interface RegistrySettings {
  /** Of the registry or of a mirror, without a path. */
  readonly url: string;
  /** Where it has the Python images. */
  readonly repository: string;
}

export const publicRegistry: RegistrySettings = { url: "https://registry-1.docker.io", repository: "library/python" };

export interface BaseImagesOptions {
  /** May be shared by all platforms of a host. */
  readonly layers: LayerStore;
  /** Where is written down which layers an image has; may be shared as well. */
  readonly folder: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Undefined: nothing is pulled. */
  readonly registry: RegistrySettings | undefined;
  readonly interpreters?: Interpreters;
  readonly release?: () => Promise<Release>;
  readonly settings?: () => Promise<PackageSettings>;
}

/** Who does not answer by then is taken for unreachable, and asked again only after a while. */
const registryPatienceMs = 3000;
const askAgainMs = 10 * 60_000;

export class BaseImages {
  readonly #options: BaseImagesOptions;
  readonly #builds: LayerBuilds;
  readonly #interpreters: Interpreters;
  readonly #release: () => Promise<Release>;
  readonly #settings: () => Promise<PackageSettings>;
  readonly #records: StackRecords;
  #silentUntil = Number.NEGATIVE_INFINITY;

  constructor(options: BaseImagesOptions) {
    this.#options = options;
    this.#builds = new LayerBuilds(options);
    this.#records = new StackRecords(options.folder);
    this.#interpreters = options.interpreters ?? new Interpreters();
    this.#release = options.release ?? hostRelease;
    this.#settings = options.settings ?? packageSettings;
  }

  /** The layers of the image with this minor version of Python, such as "3.11", topmost first. */
  async stack(python: string, waiting: Waiting): Promise<readonly Layer[]> {
    // It becomes part of names and of arguments.
    if (!/^3\.\d{1,2}$/.test(python)) {
      throw new PlatformError(`${JSON.stringify(python)} is no version of Python`, { hint: 'give one such as "3.11"' });
    }
    const release = await this.#release();
    const key = this.#key(python, release);
    const ids = await this.#records.read(key);
    const layers = ids === undefined ? undefined : await this.#there(ids);
    if (layers !== undefined) return layers;
    const made = (await this.#pull(python, waiting)) ?? (await this.#bootstrap(python, release, waiting));
    const names = made.layers.map(({ id }) => id);
    await this.#records.write(key, names, made.madeFrom);
    return made.layers;
  }

  /** Breaks off what is being made. */
  async close(): Promise<void> {
    await this.#builds.close();
  }

  /** Whatever may lead to another image. */
  #key(python: string, { codename }: Release): readonly unknown[] {
    const { registry } = this.#options;
    return [recipes, python, codename, imageArchitecture(), registry ?? null];
  }

  async #bootstrap(python: string, release: Release, waiting: Waiting): Promise<MadeStack> {
    const base = debianRecipe(release, this.#settings);
    const { ways, missing } = await this.#ways(base, python, release);
    if (ways.length > 0) await this.#builds.makeStack([base], waiting);
    for (const [index, { recipe, madeFrom }] of ways.entries()) {
      try {
        return { layers: await this.#builds.makeStack([base, recipe], waiting), madeFrom };
      } catch (error) {
        waiting.signal.throwIfAborted();
        const next = ways[index + 1];
        if (!(error instanceof PlatformError) || next === undefined) throw error;
        waiting.say(`${error.message}; ${next.whose} own is taken instead`);
      }
    }
    throw new PlatformError(`there is no image with Python ${python}: ${missing?.message ?? "this host has none"}`, {
      hint:
        `install Python ${python} so that python${python} is on the worker's PATH, choose a version that is there, ` +
        "or let the worker reach an OCI registry",
      cause: missing,
    });
  }

  /** How it can be made on this host, the best way first. */
  async #ways(
    base: LayerRecipe,
    python: string,
    release: Release,
  ): Promise<{ ways: Way[]; missing: PlatformError | undefined }> {
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
        ways.push({ whose: "this host's", recipe: hostPythonRecipe(base, found, madeFrom), madeFrom });
        isHostsFirst = await isOptimized(interpreter);
      }
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error;
      missing = error;
    }
    if (release.python === python) {
      const recipe = distributionPythonRecipe(base, { ...release, python }, this.#settings);
      const way: Way = { whose: "the distribution's", recipe, madeFrom: undefined };
      if (isHostsFirst) ways.push(way);
      else ways.unshift(way);
    }
    return { ways, missing };
  }

  /** Undefined when there is no registry, or when it does not have the image to give. */
  async #pull(python: string, waiting: Waiting): Promise<MadeStack | undefined> {
    const { registry, clock, logger } = this.#options;
    if (registry === undefined || clock.now() < this.#silentUntil) return undefined;
    if (!(await registryAnswers(registry.url, registryPatienceMs, waiting.signal))) {
      this.#silentUntil = clock.now() + askAgainMs;
      logger.info({ registry: registry.url }, "the registry does not answer; images are made on this host");
      return undefined;
    }
    const tag = `${python}-slim-bookworm`;
    try {
      const { digest, layers } = await pullImage({ ...registry, tag, clock }, this.#builds, waiting);
      logger.info({ registry: registry.url, tag, digest }, "pulled an image");
      return { layers, madeFrom: undefined };
    } catch (error) {
      waiting.signal.throwIfAborted();
      if (!(error instanceof PlatformError)) throw error;
      logger.warn({ err: error, registry: registry.url, tag }, "an image could not be pulled");
      waiting.say(`The image could not be pulled: ${error.message}; it is made on this host instead`);
      return undefined;
    }
  }

  /** The layers with these ids, or undefined when one is missing. */
  async #there(ids: readonly string[]): Promise<readonly Layer[] | undefined> {
    const layers = await Promise.all(ids.map((id) => this.#options.layers.get(id)));
    const present = layers.filter((layer) => layer !== undefined);
    return present.length === ids.length ? present : undefined;
  }
}

interface Way {
  readonly whose: string;
  /** Of the layer on the base system. */
  readonly recipe: LayerRecipe;
  readonly madeFrom: FileMark | undefined;
}

interface MadeStack {
  /** Topmost first. */
  readonly layers: readonly Layer[];
  readonly madeFrom: FileMark | undefined;
}
