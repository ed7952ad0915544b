/** Base images: what the rest of the worker uses of them. */
export { imageSources, settingsFor } from "./apt-sources.ts";
export { BaseImages, type BaseImagesOptions, type KnownImage, type ResolveOptions } from "./base-images.ts";
export { openHostStore } from "./host-store.ts";
export { type ImageConfig, imageConfigSchema, usualPath } from "./image-config.ts";
export { applyLayer } from "./registry/apply-layer.ts";
export { layerId } from "./layer-id.ts";
export { MountPoints } from "./mount-points.ts";
export type { Waiting } from "./layer-builds.ts";
export type { BaseImage } from "./made-image.ts";
export {
  type ContainerSettings,
  containerSettings,
  type PackageSettings,
  packageSettings,
} from "./package-settings.ts";
export { type RegistrySettings, registrySettingsSchema } from "./registry-settings.ts";
export type { RegistryCredentials } from "./registry/registry-login.ts";
export { type StandaloneName, standaloneName } from "./standalone-python.ts";
