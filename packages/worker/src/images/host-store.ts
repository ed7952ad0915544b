/** The layers and images of a host, which all its platforms share: where they lie below the cache folder. */
import { join } from "node:path";

import type { Clock, Logger } from "@lydian/kit";

import { LayerStore } from "../layers/index.ts";
import type { Interpreters } from "../runners/interpreters.ts";
import { BaseImages } from "./base-images.ts";
import type { RegistrySettings } from "./registry-settings.ts";

export interface HostStoreOptions {
  readonly cache: string;
  /** Undefined: nothing is pulled. */
  readonly registry: RegistrySettings | undefined;
  readonly interpreters?: Interpreters;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Needs root. Several processes may have it open. */
export async function openHostStore(options: HostStoreOptions): Promise<{ layers: LayerStore; images: BaseImages }> {
  const folder = join(options.cache, "images"); // what costs minutes to make
  const layers = await LayerStore.open(join(folder, "layers"), options);
  return { layers, images: new BaseImages({ ...options, layers, folder }) };
}
