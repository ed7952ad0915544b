/** Who has a token: secrets are known by their SHA-256 only, and compared in constant time. */
import { hash, timingSafeEqual } from "node:crypto";

import { type Clock, randomText } from "@lydian/kit";

import type { Context } from "../domain/context.ts";
import type { Store, Tx } from "../domain/store.ts";
import type { Token } from "../domain/stored.ts";
import { fail } from "../errors.ts";

/** Stands in for a token that does not exist, so that asking for one takes as long. */
const nobody = Buffer.alloc(32);

interface Known {
  digest: Buffer;
  /** Milliseconds since the epoch. */
  expiresAt: number;
}

export class Tokens {
  readonly #store: Store;
  readonly #clock: Pick<Clock, "now">;
  readonly #known = new Map<string, Known>();

  constructor(store: Store, clock: Pick<Clock, "now">) {
    this.#store = store;
    this.#clock = clock;
  }

  /** Whether this token exists, is in force, and the secret is its own. */
  async authenticate(id: string, secret: string): Promise<boolean> {
    const known = this.#known.get(id) ?? (await this.#load(id));
    const given = hash("sha256", secret, "buffer");
    return (
      timingSafeEqual(given, known?.digest ?? nobody) && known !== undefined && this.#clock.now() < known.expiresAt
    );
  }

  /** To be called when one was changed or removed: it is looked up again. */
  forget(id: string): void {
    this.#known.delete(id);
  }

  async #load(id: string): Promise<Known | undefined> {
    const token = await this.#store.read((tx) => tx.identity.token(id));
    if (token === undefined || token.isDisabled) return undefined;
    const digest = Buffer.from(token.secretSha256, "hex");
    const known = { digest, expiresAt: token.expiresAt ?? Number.POSITIVE_INFINITY };
    this.#known.set(id, known);
    return known;
  }
}

export interface NewToken {
  name: string;
  /** In milliseconds; undefined for ever. */
  lifetime: number | undefined;
}

/** The secret is shown here and nowhere else. */
export async function createToken(
  tx: Tx,
  { name, lifetime }: NewToken,
  { now }: Context,
): Promise<{ token: Token; secret: string }> {
  if (!/^[^\p{Cc}]{1,100}$/u.test(name)) {
    throw fail("invalidArgument", "A token's name has 1 to 100 characters and no control characters.");
  }
  const secret = `as-${randomText(43)}`; // 256 bits
  const token: Token = {
    id: `ak-${randomText(22)}`,
    name,
    secretSha256: hash("sha256", secret),
    createdAt: now,
    expiresAt: lifetime === undefined ? undefined : now + lifetime,
    isDisabled: false,
  };
  await tx.identity.putToken(token);
  return { token, secret };
}

/** By its id, or by its name where no other one has that. */
export async function knownToken(tx: Tx, idOrName: string): Promise<Token> {
  const tokens = await tx.identity.tokens();
  const found = tokens.filter(({ id, name }) => id === idOrName || (name !== "" && name === idOrName));
  const [token, ...others] = found;
  if (token === undefined) {
    throw fail("notFound", `There is no token "${idOrName}".`, { hint: "List them: `lydian token list`" });
  }
  if (others.length > 0) {
    throw fail("failedPrecondition", `${found.length} tokens have the name "${idOrName}".`, { hint: "Name its id" });
  }
  return token;
}

/** What is done with the owner's is undone at the next start, so it is refused. */
export function refuseOwners(token: Token, ownerId: string): void {
  if (token.id !== ownerId) return;
  throw fail("failedPrecondition", `Token ${token.id} is the owner's: the data folder's profile.toml holds it.`, {
    hint: "Stop the platform, move profile.toml away and start it again: that makes a new one",
  });
}
