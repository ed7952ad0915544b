/** Dicts and queues in memory, for tests. */
import type { MessageShape } from "@bufbuild/protobuf";
import { type ModalClient, ObjectCreationType } from "@lydian/contract";

import { NotFoundError } from "../errors.ts";

type Methods = (typeof ModalClient)["method"];
type RequestOf<K extends keyof Methods> = MessageShape<Methods[K]["input"]>;
type Answers = Readonly<Record<string, (request: never) => unknown>>;

/** Things by name and by id; a name may stand for nothing yet. */
class Things<T> {
  readonly #things = new Map<string, T>();
  readonly #kind: string;
  readonly #make: () => T;
  #anonymous = 0;

  constructor(kind: string, make: () => T) {
    this.#kind = kind;
    this.#make = make;
  }

  getOrCreate({
    deploymentName: name,
    objectCreationType: type,
  }: {
    deploymentName: string;
    objectCreationType: ObjectCreationType;
  }): string {
    const id = name === "" ? `${this.#kind}/${++this.#anonymous}` : `${this.#kind}:${name}`;
    if (!this.#things.has(id)) {
      if (type === ObjectCreationType.UNSPECIFIED)
        throw new NotFoundError(`this test has no ${this.#kind} ${JSON.stringify(name)}`, {
          hint: "give { createIfMissing: true }",
        });
      this.#things.set(id, this.#make());
    }
    return id;
  }

  of(id: string): T {
    const found = this.#things.get(id);
    if (found !== undefined) return found;
    throw new NotFoundError(`this test has no ${this.#kind} ${id}`);
  }

  delete(id: string): void {
    this.#things.delete(id);
  }
}

interface Entry {
  key: Uint8Array;
  value: Uint8Array;
}

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");

export class TestDicts {
  readonly #dicts = new Things("dict", () => new Map<string, Entry>());

  readonly answers: Answers = {
    dictGetOrCreate: (request: RequestOf<"dictGetOrCreate">) => ({ dictId: this.#dicts.getOrCreate(request) }),
    dictHeartbeat: () => ({}),
    dictDelete: ({ dictId }: RequestOf<"dictDelete">) => this.#dicts.delete(dictId) ?? {},
    dictClear: ({ dictId }: RequestOf<"dictClear">) => this.#dicts.of(dictId).clear() ?? {},
    dictLen: ({ dictId }: RequestOf<"dictLen">) => ({ len: this.#dicts.of(dictId).size }),
    dictContains: ({ dictId, key }: RequestOf<"dictContains">) => ({ found: this.#dicts.of(dictId).has(textOf(key)) }),
    dictGet: ({ dictId, key }: RequestOf<"dictGet">) => answerOf(this.#dicts.of(dictId).get(textOf(key))),
    dictPop: ({ dictId, key }: RequestOf<"dictPop">) => {
      const dict = this.#dicts.of(dictId);
      const found = dict.get(textOf(key));
      dict.delete(textOf(key));
      return answerOf(found);
    },
    dictUpdate: ({ dictId, updates, ifNotExists }: RequestOf<"dictUpdate">) => {
      const dict = this.#dicts.of(dictId);
      const fresh = updates.filter(({ key }) => !(ifNotExists && dict.has(textOf(key))));
      for (const { key, value } of fresh) dict.set(textOf(key), { key, value });
      return { created: fresh.length === updates.length };
    },
  };

  readonly streams = {
    dictContents: ({ dictId }: RequestOf<"dictContents">): AsyncGenerator<unknown, void> =>
      entriesOf(this.#dicts.of(dictId)),
  };
}

const answerOf = (entry: Entry | undefined): unknown =>
  entry === undefined ? { found: false } : { found: true, value: entry.value };

async function* entriesOf(dict: ReadonlyMap<string, Entry>): AsyncGenerator<unknown, void> {
  yield* [...dict.values()];
}

class TestQueue {
  readonly partitions = new Map<string, { number: number; value: Uint8Array }[]>();
  numbers = 0;
  #changed = Promise.withResolvers<void>();

  partition(key: Uint8Array): { number: number; value: Uint8Array }[] {
    const known = this.partitions.get(textOf(key)) ?? [];
    this.partitions.set(textOf(key), known);
    return known;
  }

  put(key: Uint8Array, values: readonly Uint8Array[]): void {
    this.partition(key).push(...values.map((value) => ({ number: ++this.numbers, value })));
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  /** Resolves when something was put, or the time is up. */
  async waits(ms: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)));
    await Promise.race([this.#changed.promise, late]);
    clearTimeout(timer);
  }
}

export class TestQueues {
  readonly #queues = new Things("queue", () => new TestQueue());

  readonly answers: Answers = {
    queueGetOrCreate: (request: RequestOf<"queueGetOrCreate">) => ({ queueId: this.#queues.getOrCreate(request) }),
    queueHeartbeat: () => ({}),
    queueDelete: ({ queueId }: RequestOf<"queueDelete">) => this.#queues.delete(queueId) ?? {},
    queuePut: ({ queueId, partitionKey, values }: RequestOf<"queuePut">) =>
      this.#queues.of(queueId).put(partitionKey, values) ?? {},
    queueGet: async ({ queueId, partitionKey, timeout, nValues }: RequestOf<"queueGet">) => {
      const queue = this.#queues.of(queueId);
      const items = queue.partition(partitionKey);
      const until = Date.now() + timeout * 1000;
      while (items.length === 0 && Date.now() < until) await queue.waits(until - Date.now());
      return { values: items.splice(0, nValues).map(({ value }) => value) };
    },
    queueNextItems: async ({ queueId, partitionKey, lastEntryId, itemPollTimeout }: RequestOf<"queueNextItems">) => {
      const queue = this.#queues.of(queueId);
      const fresh = (): { number: number; value: Uint8Array }[] =>
        queue.partition(partitionKey).filter(({ number }) => number > Number(lastEntryId || 0));
      const until = Date.now() + itemPollTimeout * 1000;
      while (fresh().length === 0 && Date.now() < until) await queue.waits(until - Date.now());
      return { items: fresh().map(({ number, value }) => ({ value, entryId: String(number) })) };
    },
    queueLen: ({ queueId, partitionKey, total }: RequestOf<"queueLen">) => {
      const queue = this.#queues.of(queueId);
      const all = [...queue.partitions.values()].reduce((sum, { length }) => sum + length, 0);
      return { len: total ? all : queue.partition(partitionKey).length };
    },
    queueClear: ({ queueId, partitionKey, allPartitions }: RequestOf<"queueClear">) => {
      const { partitions } = this.#queues.of(queueId);
      if (allPartitions) partitions.clear();
      else partitions.delete(textOf(partitionKey));
      return {};
    },
  };
}
