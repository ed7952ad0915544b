/**
 * The images that builds begin with, by name: what an image is called at a registry, and the layers and configuration
 * that stand for it here.
 *
 * What was found once is taken from then on, so an image does not change between two builds. Else it is pulled where a
 * registry answers; else some public images are made of the packages and Pythons of this host (offline-images.ts).
 */
import { type Clock, type Logger, PlatformError } from "@lydian/kit";

import type { Layer, LayerStore } from "../layers/index.ts";
import { Interpreters } from "../runners/interpreters.ts";
import { hostRelease, type Release } from "./debian.ts";
import { HostImages } from "./host-images.ts";
import { plainConfig } from "./image-config.ts";
import { LayerBuilds, type Waiting } from "./layer-builds.ts";
import { recipes } from "./layer-id.ts";
import type { BaseImage, MadeImage } from "./made-image.ts";
import { offlineImage, whatIsMadeHere } from "./offline-images.ts";
import { type PackageSettings, packageSettings } from "./package-settings.ts";
import { nameOf, parseReference, type Reference } from "./reference.ts";
import type { RegistrySettings } from "./registry-settings.ts";
import { imageArchitecture } from "./registry/manifests.ts";
import { Registries } from "./registry/registries.ts";
import type { RegistryCredentials } from "./registry/registry-login.ts";
import type { StandaloneName } from "./standalone-python.ts";
import { StackRecords } from "./stack-records.ts";

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

export interface ResolveOptions extends Waiting {
  /** For the registry that the name says, and for no other. */
  readonly credentials?: RegistryCredentials;
  /** Asks anew what a tag means, instead of taking what it meant before. */
  readonly refresh?: boolean;
}

/** The image without anything in it, which every registry lacks. */
const emptyImage: BaseImage = { layers: [], config: plainConfig, digest: "scratch" };

export class BaseImages {
  readonly #options: BaseImagesOptions;
  readonly #builds: LayerBuilds;
  readonly #host: HostImages;
  readonly #registries: Registries | undefined;
  readonly #release: () => Promise<Release>;
  readonly #records: StackRecords;

  constructor(options: BaseImagesOptions) {
    this.#options = options;
    const { clock, logger, registry } = options;
    this.#builds = new LayerBuilds(options);
    this.#records = new StackRecords(options.folder);
    this.#release = options.release ?? hostRelease;
    this.#host = new HostImages({
      builds: this.#builds,
      release: this.#release,
      interpreters: options.interpreters ?? new Interpreters(),
      settings: options.settings ?? packageSettings,
    });
    this.#registries =
      registry === undefined ? undefined : new Registries({ settings: registry, builds: this.#builds, clock, logger });
  }

  /**
   * The image of this name, such as "python:3.12-slim" or "registry.example:5000/team/base@sha256:…". All who ask for a
   * name get the same one, also who has no credentials for what another one pulled: a host has one owner.
   */
  async resolve(name: string, options: ResolveOptions): Promise<BaseImage> {
    if (name === "scratch") return emptyImage;
    const reference = parseReference(name);
    const release = await this.#release();
    const key = this.#key(reference, release);
    const known = options.refresh === true ? undefined : await this.#known(key);
    if (known !== undefined) return known;
    const { layers, config, digest, madeFrom } = await this.#find(reference, release, options);
    await this.#records.write(key, { layers: layers.map(({ id }) => id), config, digest, madeFrom });
    return { layers, config, digest };
  }

  /** The layers of the default image with this minor version of Python, such as "3.11", topmost first. */
  async stack(python: string, waiting: Waiting): Promise<readonly Layer[]> {
    // It becomes part of names and of arguments.
    if (!/^3\.\d{1,2}$/.test(python)) {
      throw new PlatformError(`${JSON.stringify(python)} is no version of Python`, { hint: 'give one such as "3.11"' });
    }
    return (await this.resolve(`python:${python}-slim-bookworm`, waiting)).layers;
  }

  /**
   * The layer whose /python is a relocatable Python, for what a client asks for as a mount (`standaloneName`): it is to be
   * copied to /usr/local of an image.
   */
  async standalonePython(name: StandaloneName, waiting: Waiting): Promise<Layer> {
    return await this.#host.standalone(name, waiting);
  }

  /** Breaks off what is being made. */
  async close(): Promise<void> {
    await this.#builds.close();
  }

  /** Whatever may lead to another image. */
  #key(reference: Reference, { codename }: Release): readonly unknown[] {
    return [recipes, nameOf(reference), codename, imageArchitecture(), this.#options.registry ?? null];
  }

  /** What is written down, when all of it is still there. */
  async #known(key: readonly unknown[]): Promise<BaseImage | undefined> {
    const record = await this.#records.read(key);
    if (record === undefined) return undefined;
    const layers = await Promise.all(record.layers.map((id) => this.#options.layers.get(id)));
    const present = layers.filter((layer) => layer !== undefined);
    return present.length === layers.length ? { ...record, layers: present } : undefined;
  }

  async #find(reference: Reference, release: Release, options: ResolveOptions): Promise<MadeImage> {
    const name = nameOf(reference);
    const pulled = await this.#registries?.pull(reference, options);
    if (pulled?.image !== undefined) return pulled.image;
    const tried = pulled?.tried ?? ["no registry, for the worker is told to ask none"];
    const offline = offlineImage(reference, release);
    if (offline !== undefined) {
      for (const line of pulled?.tried ?? []) options.say(`${name} could not be pulled: ${line}`);
      return await this.#host.make(offline, options);
    }
    throw new PlatformError(
      `there is no image ${name}; tried: ${[...tried, "images that are made on this host"].join("; ")}`,
      {
        hint:
          "check the name, let the worker reach a registry that has it (lydian up --registry), or bring it as a file: " +
          `lydian image import. Without a registry there are ${whatIsMadeHere}`,
      },
    );
  }
}
