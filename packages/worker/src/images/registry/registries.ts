/** Which of the places that may have an image gives it: they are asked in turn, and who is silent is left alone for a while. */
import type { Clock, Logger } from "@lydian/kit";

import type { Customer, LayerBuilds } from "../layer-builds.ts";
import type { MadeImage } from "../made-image.ts";
import { nameOf, publicRegistry, type Reference } from "../reference.ts";
import { placesOf, publicPlace, type RegistrySettings } from "../registry-settings.ts";
import { lookUp, pullImage } from "./pull.ts";
import { registryAnswers } from "./registry-client.ts";
import type { RegistryCredentials } from "./registry-login.ts";
import { RegistryUnavailableError } from "./transfer.ts";

/** Who does not answer by then is taken for unreachable, and asked again only after a while. */
const patienceMs = 3000;
const askAgainMs = 10 * 60_000;

export interface RegistriesOptions {
  readonly settings: RegistrySettings;
  readonly builds: LayerBuilds;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface PullAttempt {
  /** Absent when no place gave it. */
  readonly image: MadeImage | undefined;
  /** What came of each place, in words. */
  readonly tried: readonly string[];
}

export class Registries {
  readonly #options: RegistriesOptions;
  readonly #silentUntil = new Map<string, number>();

  constructor(options: RegistriesOptions) {
    this.#options = options;
  }

  async pull(
    reference: Reference,
    asking: Customer & { readonly credentials?: RegistryCredentials },
  ): Promise<PullAttempt> {
    const { settings, builds, clock, logger } = this.#options;
    const places = placesOf(settings, reference.registry);
    const tried = places.length > 0 ? [] : [`${reference.registry} is asked only where lydian up --registry names it`];
    for (const place of places) {
      if (!(await this.#answers(place, asking.signal))) {
        tried.push(`${place} does not answer within ${patienceMs / 1000} s`);
        continue;
      }
      const credentials = isRegistryItself(place, reference.registry) ? asking.credentials : undefined;
      try {
        const image = await pullImage({ place, reference, credentials, clock }, builds, asking);
        logger.info({ image: nameOf(reference), place, digest: image.digest }, "pulled an image");
        return { image, tried };
      } catch (error) {
        asking.signal.throwIfAborted();
        if (!(error instanceof RegistryUnavailableError)) throw error;
        logger.warn({ err: error, image: nameOf(reference), place }, "an image could not be pulled");
        tried.push(error.hint === undefined ? error.message : `${error.message} (${error.hint})`);
      }
    }
    return { image: undefined, tried };
  }

  /** Throws unless the registry itself shows the image to who asks like that. */
  async lookUp(
    reference: Reference,
    { credentials, signal }: { credentials?: RegistryCredentials | undefined; signal: AbortSignal },
  ): Promise<void> {
    const { settings, clock } = this.#options;
    const { registry } = reference;
    const place = placesOf(settings, registry).find((each) => isRegistryItself(each, registry));
    if (place === undefined) throw new RegistryUnavailableError(`${registry} is not asked here`);
    await lookUp({ place, reference, credentials, clock }, signal);
  }

  async #answers(place: string, signal: AbortSignal): Promise<boolean> {
    const { clock, logger } = this.#options;
    if (clock.now() < (this.#silentUntil.get(place) ?? Number.NEGATIVE_INFINITY)) return false;
    if (await registryAnswers(place, patienceMs, signal)) return true;
    this.#silentUntil.set(place, clock.now() + askAgainMs);
    logger.info({ place }, "the registry does not answer");
    return false;
  }
}

/** A mirror is somebody else, to whom the registry's credentials are not to be told. */
function isRegistryItself(place: string, registry: string): boolean {
  return new URL(place).host === (registry === publicRegistry ? new URL(publicPlace).host : registry);
}
