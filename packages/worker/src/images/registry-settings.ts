/** Where images are pulled from: the operator's word about registries. */
import { z } from "zod";

import { publicRegistry } from "./reference.ts";

export const registrySettingsSchema = z.object({
  /**
   * The places that are asked instead of a registry, by its host as images name it ("docker.io" for the public one), in
   * this order and no others. A place is http(s)://HOST[:PORT][/PREFIX]; http is plain, also for a registry itself.
   */
  mirrors: z.record(z.string(), z.array(z.url({ protocol: /^https?$/ })).min(1)).default({}),
});

/** Nothing is asked where there are no settings. */
export type RegistrySettings = z.output<typeof registrySettingsSchema>;

/** What the public registry's own place is. */
export const publicPlace = "https://registry-1.docker.io";

/**
 * Where to ask for an image of this registry. A registry on the host itself is asked in plain; one on the host's own
 * link only when the operator has named it.
 */
export function placesOf(settings: RegistrySettings, registry: string): readonly string[] {
  const mirrors = settings.mirrors[registry];
  if (mirrors !== undefined) return mirrors;
  if (isOwnNetwork(registry) && !isLoopback(registry)) return [];
  if (registry === publicRegistry) return [publicPlace];
  return [`${isLoopback(registry) ? "http" : "https"}://${registry}`];
}

/**
 * Whether a host, with or without a port, is named as this machine or as what only its own link reaches, such as a
 * cloud's service for secrets. By its name alone: what a name stands for is not looked up.
 */
export function isOwnNetwork(host: string): boolean {
  return isLoopback(host) || /^(0\.0\.0\.0|169\.254(\.\d{1,3}){2}|\[::\]|\[fe80:.*\])(:\d+)?$/i.test(host);
}

/** Whether a host, with or without a port, is this machine by its very name. */
export function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/.test(host);
}
