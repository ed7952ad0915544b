/** Values by key, shared by everything that knows the name. Plain data alone, which Python reads and writes as well. */
import { ModalClient } from "@lydian/contract";

import type { Client } from "../client/client.ts";
import { SerializationError } from "../errors.ts";
import { readPickle } from "../values/pickle-read.ts";
import { writePickle } from "../values/pickle-write.ts";
import { withArticle } from "../values/with-article.ts";
import { Named, type NamedOptions, type Request } from "./named.ts";
import type { NameOptions } from "./place.ts";

const rpc = ModalClient.method;

const getOrCreate = async (client: Client, request: Request): Promise<string> =>
  (await client.ask(rpc.dictGetOrCreate, request)).dictId;

/** A dict that programs and containers share by its name. A value may have 100 MiB; an entry that nobody reads or writes for 7 days goes. */
export class Dict<K = string, V = unknown> {
  readonly #named: Named;

  private constructor(named: Named) {
    this.#named = named;
  }

  /** The dict of this name. It is looked up, or made, when it is first used. */
  static fromName<K = string, V = unknown>(name: string, options: NamedOptions = {}): Dict<K, V> {
    return new Dict(new Named(name, options, getOrCreate));
  }

  /** One without a name: `await using` it, and it is gone at the end. */
  static async ephemeral<K = string, V = unknown>(options: NameOptions = {}): Promise<Dict<K, V> & AsyncDisposable> {
    const beat = (client: Client, dictId: string): Promise<unknown> => client.ask(rpc.dictHeartbeat, { dictId });
    const { named, end } = await Named.ephemeral(options, getOrCreate, beat);
    return Object.assign(new Dict<K, V>(named), { [Symbol.asyncDispose]: async () => end() });
  }

  /** Deletes the one of this name, with all that is in it. */
  static async delete(name: string, options: NameOptions = {}): Promise<void> {
    const { client, id: dictId } = await new Named(name, options, getOrCreate).here();
    await client.ask(rpc.dictDelete, { dictId });
  }

  /** Undefined for a key that it has not. */
  async get(key: K): Promise<V | undefined> {
    const { client, id: dictId } = await this.#named.here();
    const { found, value } = await client.ask(rpc.dictGet, { dictId, key: keyOf(key) });
    return found ? (readPickle(value ?? new Uint8Array()) as V) : undefined;
  }

  /** With `ifAbsent` a key that it has keeps its value. Answers whether the value was put. */
  async put(key: K, value: V, { ifAbsent = false }: { ifAbsent?: boolean } = {}): Promise<boolean> {
    const { client, id: dictId } = await this.#named.here();
    const updates = [{ key: keyOf(key), value: writePickle(value, "value") }];
    const { created } = await client.ask(rpc.dictUpdate, { dictId, updates, ifNotExists: ifAbsent });
    return !ifAbsent || created;
  }

  /** All at once: pairs, a Map, or an object's own fields. */
  async update(
    entries: Iterable<readonly [K, V]> | (K extends string ? Readonly<Record<string, V>> : never),
  ): Promise<void> {
    const { client, id: dictId } = await this.#named.here();
    const pairs = Symbol.iterator in entries ? entries : (Object.entries(entries) as Iterable<[K, V]>);
    const updates = [...pairs].map(([key, value]) => ({
      key: keyOf(key),
      value: writePickle(value, "value"),
    }));
    await client.ask(rpc.dictUpdate, { dictId, updates });
  }

  /** Whether it has this key. */
  async contains(key: K): Promise<boolean> {
    const { client, id: dictId } = await this.#named.here();
    return (await client.ask(rpc.dictContains, { dictId, key: keyOf(key) })).found;
  }

  /** Takes the key out; answers its value, or undefined. */
  async pop(key: K): Promise<V | undefined> {
    const { client, id: dictId } = await this.#named.here();
    const { found, value } = await client.ask(rpc.dictPop, { dictId, key: keyOf(key) });
    return found ? (readPickle(value ?? new Uint8Array()) as V) : undefined;
  }

  /** How many keys it has. */
  async len(): Promise<number> {
    const { client, id: dictId } = await this.#named.here();
    return (await client.ask(rpc.dictLen, { dictId })).len;
  }

  /** Empties it. */
  async clear(): Promise<void> {
    const { client, id: dictId } = await this.#named.here();
    await client.ask(rpc.dictClear, { dictId });
  }

  /** In no order. */
  async *entries(): AsyncGenerator<[K, V], void> {
    for await (const { key, value } of this.#contents({ keys: true, values: true })) {
      yield [readPickle(key) as K, readPickle(value) as V];
    }
  }

  /** In no order. */
  async *keys(): AsyncGenerator<K, void> {
    for await (const { key } of this.#contents({ keys: true })) yield readPickle(key) as K;
  }

  /** In no order. */
  async *values(): AsyncGenerator<V, void> {
    for await (const { value } of this.#contents({ values: true })) yield readPickle(value) as V;
  }

  async *#contents(wanted: {
    keys?: boolean;
    values?: boolean;
  }): AsyncGenerator<{ key: Uint8Array; value: Uint8Array }, void> {
    const { client, id: dictId } = await this.#named.here();
    yield* client.follow(rpc.dictContents, { dictId, ...wanted }, { timeoutMs: 600_000 });
  }
}

function keyOf(key: unknown): Uint8Array {
  const isKey = key === null || ["string", "number", "bigint", "boolean"].includes(typeof key);
  if (isKey || key instanceof Uint8Array) return writePickle(key, "key");
  // The server compares keys' bytes, and Python pickles the same date, or the same tuple, in several ways.
  throw new SerializationError(`key is ${nameOf(key)}, which no key of a dict can be`, {
    hint: key instanceof Date ? "use key.toISOString()" : "keys are texts, numbers, true or false, null, and bytes",
  });
}

function nameOf(key: unknown): string {
  if (typeof key !== "object") return typeof key === "undefined" ? "undefined" : `a ${typeof key}`;
  const { name } = (key as object).constructor ?? Object;
  return name === "Object" ? "an object" : withArticle(name);
}
