/** Who has a token: secrets are known by their SHA-256 only, and compared in constant time. */
import { hash, timingSafeEqual } from "node:crypto";

import type { Store } from "../domain/store.ts";

/** Stands in for a token that does not exist, so that asking for one takes as long. */
const nobody = Buffer.alloc(32);

export class Tokens {
  readonly #store: Store;
  readonly #known = new Map<string, Buffer>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** Whether this token exists and the secret is its own. */
  async authenticate(id: string, secret: string): Promise<boolean> {
    const expected = this.#known.get(id) ?? (await this.#load(id));
    const given = hash("sha256", secret, "buffer");
    return timingSafeEqual(given, expected ?? nobody) && expected !== undefined;
  }

  async #load(id: string): Promise<Buffer | undefined> {
    const token = await this.#store.read((tx) => tx.identity.token(id));
    if (token === undefined) return undefined;
    const digest = Buffer.from(token.secretSha256, "hex");
    this.#known.set(id, digest);
    return digest;
  }
}
