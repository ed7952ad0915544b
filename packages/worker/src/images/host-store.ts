/** The layers and images of a host, which all its platforms share: where they lie below the cache folder. */
import { join } from "node:path";

import type { Clock, Logger } from "@lydian/kit";

import { LayerFacts, LayerStore } from "../layers/index.ts";
import type { Interpreters } from "../runners/interpreters.ts";
import { BaseImages } from "./base-images.ts";
import { readRecord } from "./stack-records.ts";
import { noPackageSettings, type PackageSettings, packageSettings } from "./package-settings.ts";
import type { RegistrySettings } from "./registry-settings.ts";

export interface HostStoreOptions {
  readonly cache: string;
  /** Undefined: nothing is pulled. */
  readonly registry: RegistrySettings | undefined;
  readonly interpreters?: Interpreters;
  /** Whether builds and containers inherit the host's package settings. */
  readonly inherits?: boolean;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface HostStore {
  readonly layers: LayerStore;
  readonly images: BaseImages;
  /** To be started by who wants the layers to be checked one day. */
  readonly facts: LayerFacts;
  /** What is inherited, read anew each time: binds, files and environment for every step of a build, never for a layer. */
  readonly settings: () => Promise<PackageSettings>;
}

/** Its layers, to be looked at only; undefined when this host has none. Needs root. */
export async function lookAtLayers(cache: string): Promise<LayerStore | undefined> {
  return await LayerStore.look(join(cache, "images", "layers"));
}

/** The name of the base image that is written down there; undefined when it is something else. */
export async function baseImageOf(file: string): Promise<string | undefined> {
  return (await readRecord(file))?.name;
}

/** Needs root. Several processes may have it open. */
export async function openHostStore(options: HostStoreOptions): Promise<HostStore> {
  const folder = join(options.cache, "images"); // what costs minutes to make
  const layers = await LayerStore.open(join(folder, "layers"), options);
  const settings = (options.inherits ?? true) ? () => packageSettings() : () => noPackageSettings();
  const facts = new LayerFacts({ layers, logger: options.logger });
  return { layers, images: new BaseImages({ ...options, layers, folder, settings }), facts, settings };
}
