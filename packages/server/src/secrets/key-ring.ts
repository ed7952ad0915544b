/**
 * The master keys: those that the platform was given, then those of its own file, which is made when a first secret is.
 * The first encrypts, all decrypt. None is in the database.
 */
import { readFile } from "node:fs/promises";

import { PlatformError, hasCode, messageOf, writeDurably } from "@lydian/kit";

import { type ServerError, fail } from "../errors.ts";
import { type MasterKey, newMasterKey, parseKeys, writtenKeys } from "./seal.ts";

export interface GivenKeys {
  text: string;
  /** Where the operator wrote them, for messages. */
  from: string;
}

export class KeyRing {
  readonly #file: string;
  readonly #given: GivenKeys | undefined;
  #keys: readonly MasterKey[] = [];
  /** Why there may be fewer keys than there should be. */
  #trouble: PlatformError | undefined;

  private constructor(file: string, given: GivenKeys | undefined) {
    this.#file = file;
    this.#given = given;
  }

  /** Never throws for what the operator has to mend: whoever uses a secret is told then. */
  static async load(file: string, given: GivenKeys | undefined): Promise<KeyRing> {
    const ring = new KeyRing(file, given);
    try {
      ring.#keys = given === undefined ? [] : parseKeys(given.text, given.from);
      ring.#keys = [...ring.#keys, ...parseKeys(await readFile(file, "utf8"), file)];
    } catch (error) {
      if (error instanceof PlatformError) ring.#trouble = error;
      else if (!hasCode(error, "ENOENT")) {
        ring.#trouble = new PlatformError(`${file} cannot be read (${messageOf(error)})`, {
          hint: "give the file back to the server's user",
        });
      }
    }
    return ring;
  }

  /** Whether the keys are the operator's, who alone can add to them. */
  get isGiven(): boolean {
    return this.#given !== undefined;
  }

  get isEmpty(): boolean {
    return this.#keys.length === 0 && this.#trouble === undefined;
  }

  key(id: string): MasterKey | undefined {
    return this.#keys.find((key) => key.id === id);
  }

  /** The one to encrypt with. */
  get current(): MasterKey {
    const [first] = this.#keys;
    if (first !== undefined && this.#trouble === undefined) return first;
    throw this.refusal("Secrets cannot be encrypted");
  }

  /** An error with the remedy. */
  refusal(what: string): ServerError {
    if (this.#trouble !== undefined) {
      const hint = `${this.#trouble.hint ?? ""}; then start the platform again`;
      return fail("failedPrecondition", `${what}: ${this.#trouble.message}`, { hint });
    }
    const why = this.#keys.length === 0 ? "the key is missing" : "it was encrypted with a key that is not there";
    return fail("failedPrecondition", `${what}: ${why} (${this.#given?.from ?? this.#file})`, {
      hint: "The operator has to put the key back that was there before and start the platform again. If it is lost: `lydian secret rotate-key`, then create the secrets anew",
    });
  }

  /** Makes the platform's own first key. On disk when it resolves. */
  async begin(): Promise<void> {
    await this.#write([newMasterKey()]);
  }

  /** A new key takes the first place; the others stay beside it until `keepOnly`. */
  async add(): Promise<void> {
    if (this.#trouble !== undefined) throw this.refusal("No key can be added");
    await this.#write([newMasterKey(), ...this.#keys]);
  }

  async keepOnlyCurrent(): Promise<void> {
    await this.#write([this.current]);
  }

  /** The file is whole before anything is encrypted with what is new in it. */
  async #write(keys: readonly MasterKey[]): Promise<void> {
    await writeDurably(this.#file, writtenKeys(keys));
    this.#keys = keys;
  }
}
