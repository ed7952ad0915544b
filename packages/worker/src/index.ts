/** Runs containers on one host for a Lydian server. It is started as a process; this is what its supervisor needs. */
import { fileURLToPath } from "node:url";

export { Cgroups } from "./cgroups/cgroups.ts";
export { type HostCapabilities, probeHost } from "./host/capabilities.ts";
export { nearestExisting, probeDisk } from "./host/disk.ts";
export {
  type Finding,
  type FindingState,
  type HostFinding,
  missing,
  ok,
  warning,
  whatStandsInTheWay,
} from "./host/finding.ts";
export type { BaseImages, KnownImage } from "./images/base-images.ts";
export { baseImageOf, lookAtLayers, openHostStore } from "./images/host-store.ts";
export { type CheckedLayers, checkLayers, type DamagedLayer, imageOfRecord } from "./layers/index.ts";
export { publicRegistry } from "./images/reference.ts";
export { placesOf, type RegistrySettings, registrySettingsSchema } from "./images/registry-settings.ts";
export { type WorkerConfig, type WorkerConfigInput, workerConfigSchema } from "./config.ts";

/** The program to start: `node main`, with a WorkerConfig as JSON line on stdin. */
export const workerMain = fileURLToPath(
  new URL(import.meta.url.endsWith(".ts") ? "./main.ts" : "./main.js", import.meta.url),
);
