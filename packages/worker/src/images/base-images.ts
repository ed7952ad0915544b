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
import { readArchive } from "./archive/image-archive.ts";
import { type ConfigBlob, plainConfig } from "./image-config.ts";
import { type Customer, LayerBuilds, type Waiting } from "./layer-builds.ts";
import { recipes } from "./layer-id.ts";
import type { BaseImage, MadeImage } from "./made-image.ts";
import { offlineImage, whatIsMadeHere } from "./offline-images.ts";
import { type PackageSettings, packageSettings } from "./package-settings.ts";
import { nameOf, parseReference, type Reference } from "./reference.ts";
import type { RegistrySettings } from "./registry-settings.ts";
import { imageArchitecture } from "./registry/manifests.ts";
import { pullLayers } from "./registry/pull.ts";
import { Registries } from "./registry/registries.ts";
import type { RegistryCredentials } from "./registry/registry-login.ts";
import type { StandaloneName } from "./standalone-python.ts";
import { type KeptRecord, type StackRecord, StackRecords } from "./stack-records.ts";

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

export interface KnownImage {
  /** The whole name. */
  readonly name: string;
  readonly imported: boolean;
  readonly digest: string;
  readonly layers: readonly Layer[];
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
   * name get the same one, and it is known from then on, until it is forgotten. Of one that was pulled with credentials the
   * registry is asked each time whether it is for who asks.
   */
  async resolve(name: string, options: ResolveOptions): Promise<BaseImage> {
    if (name === "scratch") return emptyImage;
    const reference = parseReference(name);
    const release = await this.#release();
    const key = this.#key(reference, release);
    const imported = await this.#known(importedKey(reference));
    if (imported !== undefined) return plain(imported);
    const before = options.refresh === true ? undefined : await this.#known(key);
    if (before !== undefined) {
      if (before.isPrivate) await this.#refuseStrangers(reference, options);
      return plain(before);
    }
    await using lease = this.#options.layers.lease();
    const image = await this.#find(reference, release, { ...options, lease });
    await this.#keep(key, recordOf(image, reference), image.layers);
    return plain(image);
  }

  /**
   * The layer whose /python is a relocatable Python, for what a client asks for as a mount (`standaloneName`): it is to be
   * copied to /usr/local of an image. The customer's lease holds it, and nobody else does.
   */
  async standalonePython(name: StandaloneName, customer: Customer): Promise<Layer> {
    return await this.#host.standalone(name, customer);
  }

  /**
   * Takes an image from a file, an archive of Docker's or OCI's kind; from then on it is what its names stand for, without
   * any registry. `name` stands for the names that the file itself has. Answers the whole names.
   */
  async import(file: string, name: string | undefined, waiting: Waiting): Promise<readonly string[]> {
    const images = await readArchive(file, waiting.signal);
    const [first] = images;
    if (first === undefined) throw new PlatformError(`${file} has no image in it`);
    if (name !== undefined && images.length > 1) {
      throw new PlatformError(`${file} has ${images.length} images, which cannot all be called ${name}`);
    }
    await using lease = this.#options.layers.lease();
    const customer = { ...waiting, lease };
    const references = images.map(({ names }) => referencesOf(name === undefined ? names : [name], file));
    for (const [index, image] of images.entries()) {
      const { config, platform } = image.config;
      refuseOtherPlatform(file, platform);
      const layers = await pullLayers(image.layers, this.#builds, customer, (blob, signal) => image.open(blob, signal));
      const { digest } = image;
      const made = { layers: layers.toReversed(), config, digest, madeFrom: undefined };
      for (const reference of references[index] ?? []) {
        const record = { ...recordOf(made, reference), imported: true };
        await this.#keep(importedKey(reference), record, made.layers);
        const { registry, repository } = reference;
        await this.#keep(importedKey({ registry, repository, tag: undefined, digest }), record, made.layers);
      }
    }
    return references.flat().map(nameOf);
  }

  /** Every image that is written down here and still has all its layers. */
  async list(): Promise<readonly KnownImage[]> {
    const found = new Map<string, KnownImage>();
    for (const { name, imported, digest, layers: ids } of await this.#records.list()) {
      const layers = await this.#present(ids);
      if (layers !== undefined) found.set(`${name} ${digest}`, { name, imported, digest, layers });
    }
    return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** What is written down, each by its own file: an image may be known under several names. */
  async records(): Promise<readonly KeptRecord[]> {
    return await this.#records.list();
  }

  /** It is found anew by who asks next. Its layers stay as long as somebody else holds them. */
  async forget(record: KeptRecord): Promise<void> {
    await this.#records.remove(record);
    await this.#options.layers.releaseFor(record.file, record.layers);
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
  async #known(key: readonly unknown[]): Promise<(BaseImage & Pick<StackRecord, "isPrivate">) | undefined> {
    const record = await this.#records.read(key);
    if (record === undefined) return undefined;
    const layers = await this.#present(record.layers);
    if (layers === undefined) return undefined;
    // Whoever wrote it down may have been killed before its layers were held.
    if (!(await this.#options.layers.holdFor(record.file, layers))) return undefined;
    await this.#records.use(record, this.#options.clock.now());
    return { layers, config: record.config, digest: record.digest, isPrivate: record.isPrivate };
  }

  async #refuseStrangers(reference: Reference, options: ResolveOptions): Promise<void> {
    try {
      await this.#registries?.lookUp(reference, options);
    } catch (error) {
      options.signal.throwIfAborted();
      if (!(error instanceof PlatformError)) throw error;
      throw new PlatformError(
        `${nameOf(reference)} is here, but only for those to whom its registry shows it: ${error.message}`,
        { cause: error, ...(error.hint !== undefined && { hint: error.hint }) },
      );
    }
  }

  /** Written down first, and then held for what is written down: until then somebody's lease holds the layers. */
  async #keep(key: readonly unknown[], record: StackRecord, layers: readonly Layer[]): Promise<void> {
    await this.#records.write(key, record);
    const isHeld = await this.#options.layers.holdFor(this.#records.fileOf(key), layers);
    if (!isHeld) throw new Error(`layers of ${record.name} went while they were held`);
  }

  async #present(ids: readonly string[]): Promise<readonly Layer[] | undefined> {
    const layers = await Promise.all(ids.map((id) => this.#options.layers.get(id)));
    const present = layers.filter((layer) => layer !== undefined);
    return present.length === ids.length ? present : undefined;
  }

  async #find(reference: Reference, release: Release, options: ResolveOptions & Customer): Promise<MadeImage> {
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

const plain = ({ layers, config, digest }: BaseImage): BaseImage => ({ layers, config, digest });

/** Of no settings: who imports an image wants that one, whatever registries there are. */
const importedKey = (reference: Reference): readonly unknown[] => ["imported", nameOf(reference), imageArchitecture()];

function recordOf(
  { layers, config, digest, madeFrom, isPrivate = false }: MadeImage,
  reference: Reference,
): StackRecord {
  const ids = layers.map(({ id }) => id);
  return { name: nameOf(reference), imported: false, isPrivate, layers: ids, config, digest, madeFrom };
}

/** Names without anything to go by, such as a tag alone, name nothing. */
function referencesOf(names: readonly string[], file: string): Reference[] {
  const whole = names.filter((name) => /[:/]/.test(name));
  if (whole.length > 0) return whole.map(parseReference);
  throw new PlatformError(`${file} does not say what the image is called`, { hint: "give it a name with --name" });
}

function refuseOtherPlatform(file: string, { os, architecture }: ConfigBlob["platform"]): void {
  const isOurs = (os ?? "linux") === "linux" && (architecture ?? imageArchitecture()) === imageArchitecture();
  if (isOurs) return;
  throw new PlatformError(
    `${file} is an image for ${os}/${architecture}, and this host is linux/${imageArchitecture()}`,
  );
}
