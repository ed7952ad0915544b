/** Whose a host name is, remembered from one request to the next: what is published seldom changes. */
import { type Bells, type Clock, type Logger, Lookout } from "@lydian/kit";

import { addressesBell } from "../domain/bells.ts";
import type { Store } from "../domain/store.ts";
import type { WebAddress } from "../domain/web-address.ts";
import { findEndpoint } from "./endpoints.ts";

/** Then all are looked up anew. */
const mostKnown = 10_000;

export class Addresses {
  readonly #store: Store;
  readonly #lookout: Lookout;
  #known = new Map<string, WebAddress>();

  constructor({ store, ...deps }: { store: Store; bells: Bells; clock: Clock; log: Logger }) {
    this.#store = store;
    this.#lookout = new Lookout({
      ...deps,
      bell: addressesBell,
      look: async () => void (this.#known = new Map()),
      onFailure: (error) => deps.log.error({ err: error }, "addresses could not be forgotten"),
    });
  }

  start(): void {
    this.#lookout.start();
  }

  async close(): Promise<void> {
    await this.#lookout.close();
  }

  /** Of an app that has ended it may be found for a while: who begins a call then is told so. */
  async find(host: string): Promise<WebAddress | undefined> {
    const known = this.#known; // what is read while all are forgotten is not kept
    const found = known.get(host) ?? (await this.#store.read((tx) => findEndpoint(tx, host)));
    if (found === undefined) return undefined;
    if (known.size >= mostKnown) known.clear();
    known.set(host, found);
    return found;
  }
}
