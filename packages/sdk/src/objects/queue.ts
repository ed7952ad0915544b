/** Items in order, shared by everything that knows the name. Plain data alone, which Python reads and writes as well. */
import { setTimeout as sleep } from "node:timers/promises";

import { ModalClient } from "@lydian/contract";

import type { Client } from "../client/client.ts";
import { type Duration, seconds } from "../duration.ts";
import { QueueEmptyError, QueueFullError, ResourceExhaustedError } from "../errors.ts";
import { readPickle } from "../values/pickle-read.ts";
import { writePickle } from "../values/pickle-write.ts";
import { Named, type NamedOptions, type Request } from "./named.ts";
import type { NameOptions } from "./place.ts";

const rpc = ModalClient.method;

/** The platform holds a request for so long, in seconds; more is several. */
const holdSeconds = 50;
const answerMs = 20_000;
/** A full queue is asked again after this, and then more and more rarely. */
const firstFullMs = 100;
const longestFullMs = 5_000;

/** Which of the queues within the queue: each partition is one of its own. */
export interface PartitionOptions {
  /** A queue of its own within the queue; up to 64 bytes. */
  partition?: string;
}

/** How long whoever takes items waits for the first. */
export interface TakeOptions extends PartitionOptions {
  /** How long to wait for an item; for ever unless it is given. */
  timeout?: Duration;
  /** false: do not wait. */
  block?: boolean;
}

const getOrCreate = async (client: Client, request: Request): Promise<string> =>
  (await client.ask(rpc.queueGetOrCreate, request)).queueId;

/** A queue that programs and containers share by its name: first in, first out, within each partition. */
export class Queue<T = unknown> {
  readonly #named: Named;

  private constructor(named: Named) {
    this.#named = named;
  }

  /** The queue of this name. It is looked up, or made, when it is first used. */
  static fromName<T = unknown>(name: string, options: NamedOptions = {}): Queue<T> {
    return new Queue(new Named(name, options, getOrCreate));
  }

  /** One without a name: `await using` it, and it is gone at the end. */
  static async ephemeral<T = unknown>(options: NameOptions = {}): Promise<Queue<T> & AsyncDisposable> {
    const beat = (client: Client, queueId: string): Promise<unknown> => client.ask(rpc.queueHeartbeat, { queueId });
    const { named, end } = await Named.ephemeral(options, getOrCreate, beat);
    return Object.assign(new Queue<T>(named), { [Symbol.asyncDispose]: async () => end() });
  }

  /** Deletes the one of this name, with all that is in it. */
  static async delete(name: string, options: NameOptions = {}): Promise<void> {
    const { client, id: queueId } = await new Named(name, options, getOrCreate).here();
    await client.ask(rpc.queueDelete, { queueId });
  }

  /** Adds one at the end. Waits while there is no room, for ever unless `timeout` is given; then it is a QueueFullError. */
  async put(item: T, options: PartitionOptions & { timeout?: Duration } = {}): Promise<void> {
    await this.putMany([item], options);
  }

  /** All of them, or none. Waits while there is no room, for ever unless `timeout` is given; then it is a QueueFullError. */
  async putMany(
    items: readonly T[],
    { partition, timeout }: PartitionOptions & { timeout?: Duration } = {},
  ): Promise<void> {
    const { client, id: queueId } = await this.#named.here();
    const values = items.map((item, index) => writePickle(item, `items[${index}]`));
    const until = untilOf(timeout);
    for (let delayMs = firstFullMs; ; delayMs = Math.min(longestFullMs, delayMs * 2)) {
      try {
        await client.ask(rpc.queuePut, { queueId, values, partitionKey: keyOf(partition) });
        return;
      } catch (error) {
        if (!(error instanceof ResourceExhaustedError)) throw error;
        if (Date.now() + delayMs > until) throw new QueueFullError("the queue has no room", { cause: error });
        await sleep(delayMs);
      }
    }
  }

  /** The first item, which is taken out. A QueueEmptyError when none comes in time; with `block: false` undefined when there is none now. */
  get(options: TakeOptions & { block: false }): Promise<T | undefined>;
  get(options?: TakeOptions): Promise<T>;
  async get(options: TakeOptions = {}): Promise<T | undefined> {
    const [item] = await this.getMany(1, options);
    return item;
  }

  /**
   * The first ones, up to `count` of them, once there is one. A QueueEmptyError when none comes in time; with `block: false`
   * none when there is none now.
   */
  async getMany(count: number, { partition, timeout, block = true }: TakeOptions = {}): Promise<T[]> {
    const { client, id: queueId } = await this.#named.here();
    const until = block ? untilOf(timeout) : 0;
    for (;;) {
      const hold = Math.max(0, Math.min(holdSeconds, (until - Date.now()) / 1000));
      const request = { queueId, timeout: hold, nValues: count, partitionKey: keyOf(partition) };
      const { values } = await client.ask(rpc.queueGet, request, { timeoutMs: hold * 1000 + answerMs });
      if (values.length > 0) return values.map((value) => readPickle(value) as T);
      if (!block) return [];
      if (Date.now() >= until) throw new QueueEmptyError("the queue has no item");
    }
  }

  /** Looks at the items without taking them; ends when none comes for `itemPollTimeout`, at once unless it is given. */
  async *iterate({
    partition,
    itemPollTimeout = 0,
  }: PartitionOptions & { itemPollTimeout?: Duration } = {}): AsyncGenerator<T, void> {
    const { client, id: queueId } = await this.#named.here();
    const wait = seconds(itemPollTimeout, "itemPollTimeout");
    let lastEntryId = "";
    for (let until = Date.now() + wait * 1000; ;) {
      const hold = Math.max(0, Math.min(holdSeconds, (until - Date.now()) / 1000));
      const request = { queueId, partitionKey: keyOf(partition), lastEntryId, itemPollTimeout: hold };
      const { items } = await client.ask(rpc.queueNextItems, request, { timeoutMs: hold * 1000 + answerMs });
      for (const { value, entryId } of items) {
        lastEntryId = entryId;
        yield readPickle(value) as T;
      }
      if (items.length > 0) until = Date.now() + wait * 1000;
      else if (Date.now() >= until) return;
    }
  }

  /** `total`: of all partitions. */
  async len({ partition, total = false }: PartitionOptions & { total?: boolean } = {}): Promise<number> {
    const { client, id: queueId } = await this.#named.here();
    return (await client.ask(rpc.queueLen, { queueId, partitionKey: keyOf(partition), total })).len;
  }

  /** Empties a partition, or with `all` every one. */
  async clear({ partition, all = false }: PartitionOptions & { all?: boolean } = {}): Promise<void> {
    const { client, id: queueId } = await this.#named.here();
    await client.ask(rpc.queueClear, { queueId, partitionKey: keyOf(partition), allPartitions: all });
  }
}

const keyOf = (partition = ""): Uint8Array => Buffer.from(partition);

/** Milliseconds since the epoch. */
function untilOf(timeout: Duration | undefined): number {
  return timeout === undefined ? Number.POSITIVE_INFINITY : Date.now() + seconds(timeout, "timeout") * 1000;
}
