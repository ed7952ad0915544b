/** Encrypts and decrypts secrets, and encrypts all of them anew under another key. */
import type { Secret, SecretFacts } from "../domain/secret.ts";
import type { Store, Tx } from "../domain/store.ts";
import { fail } from "../errors.ts";
import type { KeyRing } from "./key-ring.ts";
import { nameOf, secretsOf } from "./known.ts";
import { seal, unseal, type Values } from "./seal.ts";

export interface Rotation {
  keyId: string;
  /** How many secrets are under it that were not. */
  secrets: number;
  /** Ids of those that no key opens; they stay as they are. */
  unreadable: string[];
}

/** Secrets in one unit of work. */
const portion = 100;

export class Vault {
  readonly #ring: KeyRing;
  readonly #store: Store;
  #beginning: Promise<void> | undefined;
  #rotation: Promise<Rotation> | undefined;

  constructor(ring: KeyRing, store: Store) {
    this.#ring = ring;
    this.#store = store;
  }

  /** To be awaited before a unit of work that seals. A first key is made only where nothing was encrypted with another. */
  async prepare(): Promise<void> {
    if (!this.#ring.isEmpty) return;
    this.#beginning ??= this.#begin().finally(() => (this.#beginning = undefined));
    await this.#beginning;
  }

  async #begin(): Promise<void> {
    const [any] = await this.#store.read((tx) => tx.secrets.after("", 1));
    if (any === undefined) await this.#ring.begin();
  }

  seal(facts: SecretFacts, values: Values): Secret {
    return seal(this.#ring.current, facts, values);
  }

  open(secret: Secret): Values {
    const what = `Secret ${nameOf(secret)} cannot be decrypted`;
    const key = this.#ring.key(secret.keyId);
    if (key === undefined) throw this.#ring.refusal(what);
    const values = unseal(key, secret);
    if (values !== undefined) return values;
    throw fail("failedPrecondition", `${what}: its row in the database is not as it was written`, {
      hint: "Create it anew: `modal secret create --force`",
    });
  }

  /** What a container or a build step gets of these secrets: where several have a variable, the last one's holds. */
  async environmentOf(tx: Tx, secretIds: readonly string[]): Promise<Record<string, string>> {
    const secrets = await secretsOf(tx, secretIds);
    return Object.fromEntries(secrets.flatMap((secret) => Object.entries(this.open(secret))));
  }

  /**
   * All secrets go under the newest key: one that is made for it, unless the keys are the operator's own. The file then
   * has both until every secret is under the new one, on disk, so that a death at any moment leaves all of them readable.
   */
  rotate(): Promise<Rotation> {
    this.#rotation ??= this.#rotate().finally(() => (this.#rotation = undefined));
    return this.#rotation;
  }

  async #rotate(): Promise<Rotation> {
    if (!this.#ring.isGiven) await this.#ring.add();
    const rotation: Rotation = { keyId: this.#ring.current.id, secrets: 0, unreadable: [] };
    for (let after: string | undefined = ""; after !== undefined;) {
      const from: string = after;
      after = await this.#store.write((tx) => this.#resealSome(tx, from, rotation));
    }
    if (!this.#ring.isGiven) await this.#ring.keepOnlyCurrent();
    return rotation;
  }

  /** Answers the last one's id, when there may be more. */
  async #resealSome(tx: Tx, after: string, rotation: Rotation): Promise<string | undefined> {
    const secrets = await tx.secrets.after(after, portion);
    for (const secret of secrets) {
      if (secret.keyId === rotation.keyId) continue;
      const key = this.#ring.key(secret.keyId);
      const values = key && unseal(key, secret);
      if (values === undefined) rotation.unreadable.push(secret.id);
      else {
        await tx.secrets.put(this.seal(secret, values));
        rotation.secrets++;
      }
    }
    return secrets.length === portion ? secrets.at(-1)?.id : undefined;
  }
}
