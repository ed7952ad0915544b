/** Base images: what the rest of the worker uses of them. */
export { BaseImages, type BaseImagesOptions, publicRegistry, type RegistrySettings } from "./base-images.ts";
export type { Waiting } from "./layer-builds.ts";
export { type PackageSettings, packageSettings } from "./package-settings.ts";
