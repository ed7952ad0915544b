/** Where something of the platform's is looked up or made. */
import type { Client } from "../client/client.ts";

export interface Place {
  readonly client: Client;
  /** Whose names are looked up; empty for the default. */
  readonly environment: string;
}

/** While an app is published: what has no name belongs to it. */
export interface AppPlace extends Place {
  readonly appId: string;
}

/** What names are looked up with. */
export interface NameOptions {
  /** Whose names; without it the client's own. */
  environment?: string;
  /** Another platform than the usual one. */
  client?: Client;
}

/** The thing's id, found once. */
export class Found {
  readonly #find: (place: Place) => Promise<string>;
  readonly #known = new WeakMap<Client, Promise<string>>();

  constructor(find: (place: Place) => Promise<string>) {
    this.#find = find;
  }

  id(place: Place): Promise<string> {
    const known = this.#known.get(place.client);
    if (known !== undefined) return known;
    const found = this.#find(place);
    this.#known.set(place.client, found);
    found.catch(() => this.#known.delete(place.client)); // told to the caller; the next one asks anew
    return found;
  }
}
