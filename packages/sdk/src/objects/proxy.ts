/** A fixed address that a function's own connections come from, by its name. */
import { ModalClient } from "@lydian/contract";

import { Found, type Place } from "./place.ts";

/** Platforms without proxies say so in a warning, and run the function without. */
export class Proxy {
  readonly #found: Found;

  private constructor(found: Found) {
    this.#found = found;
  }

  /** `environment`: whose names; without it the app's own. Throws a NotFoundError as the app is run or deployed where there is none. */
  static fromName(name: string, { environment }: { environment?: string } = {}): Proxy {
    return new Proxy(
      new Found(async ({ client, environment: own }) => {
        const request = { name, environmentName: environment ?? own };
        return (await client.ask(ModalClient.method.proxyGet, request)).proxy?.proxyId ?? "";
      }),
    );
  }

  /** @internal */
  id(place: Place): Promise<string> {
    return this.#found.id(place);
  }
}
