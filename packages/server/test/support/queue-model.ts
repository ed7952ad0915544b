/**
 * A queue as its users understand it, beside the real one: random puts, gets, waits, looks, clears, deaths of the server and
 * passing time, each of which must have the outcome that lists in memory have.
 */
import assert from "node:assert/strict";

import { type Random, seededRandom } from "@lydian/testkit";

import { isFail } from "../../src/errors.ts";
import { World, rpc } from "./world.ts";

/** Small ones, so that they are reached. */
export const limits = { queuePartitionItems: 8, queuePartitionBytes: 120, queueItemBytes: 40 };

const partitions = ["", "one", "two"];

interface ModelPartition {
  items: string[];
  keptUntil: number;
}

/** A get that has not been answered. */
interface Waiter {
  partition: string;
  atMost: number;
  until: number;
  values: string[] | undefined;
  leaves: AbortController;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class QueueModel implements AsyncDisposable {
  readonly history: string[] = [];
  /** How often which kind of thing happened. */
  readonly happened: Record<string, number> = {};
  readonly #world: World;
  readonly #random: Random;
  readonly #queueId: string;
  readonly #partitions = new Map<string, ModelPartition>(partitions.map((name) => [name, { items: [], keptUntil: 0 }]));
  #waiters: Waiter[] = [];
  #items = 0;

  private constructor(world: World, random: Random, queueId: string) {
    this.#world = world;
    this.#random = random;
    this.#queueId = queueId;
  }

  static async begin(seed: number): Promise<QueueModel> {
    const world = await World.begin({}, {}, { limits });
    const { queueId } = await world.asUser(rpc.queueGetOrCreate, { deploymentName: "model", objectCreationType: 1 });
    return new QueueModel(world, seededRandom(seed), queueId);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { leaves } of this.#waiters) leaves.abort(new Error("the test is over"));
    await this.#world[Symbol.asyncDispose]();
  }

  /** One thing happens, and everything that follows from it without any time. */
  async step(): Promise<void> {
    const acts = [
      () => this.#put(),
      () => this.#put(),
      () => this.#put(),
      () => this.#get(),
      () => this.#wait(),
      () => this.#wait(),
      () => this.#wait(),
      () => this.#wait(),
      () => this.#leave(),
      () => this.#look(),
      () => this.#count(),
      () => this.#clear(),
      () => this.#kill(),
      () => this.#pass(),
    ];
    if (this.#random.once(3)) await this.#doom();
    await this.#random.pick(acts)?.();
    await this.#settle();
    this.#world.check(`after ${this.history.at(-1)}`);
  }

  /** Takes all that is left, which must be what the model says. */
  async finish(): Promise<void> {
    for (const partition of partitions) {
      const { values } = await this.#world.asUser(rpc.queueGet, { ...this.#at(partition), nValues: 1000 });
      assert.deepEqual(texts(values), this.#living(partition));
    }
  }

  async #put(): Promise<void> {
    const partition = this.#anyPartition();
    const values = Array.from({ length: 1 + this.#random.below(4) }, () => `${++this.#items}`.padEnd(6, "."));
    const seconds = 1 + this.#random.below(90);
    const held = this.#living(partition);
    const isFull = held.length + values.length > limits.queuePartitionItems;
    this.#note("put", `${values.length} into ${partition || "the first"}${isFull ? ", which is full" : ""}`);
    const request = {
      ...this.#at(partition),
      values: values.map((value) => encoder.encode(value)),
      partitionTtlSeconds: seconds,
    };
    const put = this.#world.asUser(rpc.queuePut, request);
    if (isFull) {
      await assert.rejects(put, (error) => isFail(error, "resourceExhausted"));
      return;
    }
    await put;
    this.#partitions.set(partition, { items: [...held, ...values], keptUntil: this.#now + seconds * 1000 });
  }

  async #get(): Promise<void> {
    const partition = this.#anyPartition();
    const nValues = 1 + this.#random.below(4);
    this.#note("get", `${nValues} from ${partition || "the first"}`);
    const { values } = await this.#world.asUser(rpc.queueGet, { ...this.#at(partition), nValues });
    assert.deepEqual(texts(values), this.#living(partition).splice(0, nValues));
  }

  async #wait(): Promise<void> {
    if (this.#waiters.length > 8) return;
    const partition = this.#anyPartition();
    const atMost = 1 + this.#random.below(2);
    const seconds = 1 + this.#random.below(50);
    this.#note("wait", `for ${atMost} from ${partition || "the first"}, ${seconds} s`);
    const leaves = new AbortController();
    const waiter: Waiter = { partition, atMost, until: this.#now + seconds * 1000, values: undefined, leaves };
    this.#waiters.push(waiter);
    const request = { ...this.#at(partition), nValues: atMost, timeout: seconds };
    this.#world.asUser(rpc.queueGet, request, this.#world.newKey(), leaves.signal).then(
      ({ values }) => (waiter.values = texts(values)),
      (error: unknown) => leaves.signal.aborted || this.#failures.push(error),
    );
  }

  readonly #failures: unknown[] = [];

  async #leave(): Promise<void> {
    const waiter = this.#random.pick(this.#waiters);
    if (waiter === undefined) return;
    this.#note("leave", `who waits for ${waiter.partition || "the first"}`);
    waiter.leaves.abort(new Error("it is gone"));
    this.#waiters = this.#waiters.filter((each) => each !== waiter);
  }

  async #look(): Promise<void> {
    const partition = this.#anyPartition();
    this.#note("look", partition || "at the first");
    const seen: string[] = [];
    for (let lastEntryId = ""; ;) {
      const { items } = await this.#world.asUser(rpc.queueNextItems, { ...this.#at(partition), lastEntryId });
      if (items.length === 0) break;
      seen.push(...texts(items.map(({ value }) => value)));
      lastEntryId = items.at(-1)?.entryId ?? "";
    }
    assert.deepEqual(seen, this.#living(partition));
  }

  async #count(): Promise<void> {
    this.#note("count", "all");
    const queueId = this.#queueId;
    const { len } = await this.#world.asUser(rpc.queueLen, { queueId, total: true });
    assert.equal(len, partitions.flatMap((partition) => this.#living(partition)).length);
    const partition = this.#anyPartition();
    assert.equal((await this.#world.asUser(rpc.queueLen, this.#at(partition))).len, this.#living(partition).length);
    const { queues } = await this.#world.asUser(rpc.queueList, {});
    const filled = partitions.filter((each) => this.#living(each).length > 0).length;
    assert.deepEqual(
      queues.map((each) => [each.queueId, each.numPartitions, each.totalSize]),
      [[queueId, filled, len]],
    );
  }

  async #clear(): Promise<void> {
    if (this.#random.once(2)) return;
    const allPartitions = this.#random.once(3);
    const partition = this.#anyPartition();
    this.#note("clear", allPartitions ? "all" : partition || "the first");
    await this.#world.asUser(rpc.queueClear, { ...this.#at(partition), allPartitions });
    for (const each of allPartitions ? partitions : [partition])
      this.#partitions.set(each, { items: [], keptUntil: 0 });
  }

  async #kill(): Promise<void> {
    this.#note("kill", "now");
    (await this.#world.server()).kill();
  }

  /** Lets the server die at one of its next writes, whatever that is. */
  async #doom(): Promise<void> {
    const server = await this.#world.server();
    const when = this.#random.once(2) ? "before" : "after";
    server.fault = { write: server.writes + 1 + this.#random.below(3), when };
    this.#note("doom", `${when} write ${server.fault.write}`);
  }

  async #pass(): Promise<void> {
    const ms = 500 * (1 + this.#random.below(120));
    this.#note("pass", `${ms} ms`);
    for (let left = ms; left > 0; left -= 500) await this.#world.clock.advance(500);
  }

  /** What waits has got what there was, in order, or its time is up. */
  async #settle(): Promise<void> {
    await this.#world.rest();
    assert.deepEqual(this.#failures, []);
    for (const partition of partitions) {
      const items = this.#living(partition);
      const here = this.#waiters.filter((waiter) => waiter.partition === partition);
      const given = here.filter(({ values }) => values !== undefined && values.length > 0);
      const pieces = given
        .map(({ values = [] }) => values)
        .sort(([a = ""], [b = ""]) => Number.parseInt(a) - Number.parseInt(b));
      if (given.length > 1) this.happened["share"] = (this.happened["share"] ?? 0) + 1;
      const taken = pieces.flat();
      assert.deepEqual(taken, items.slice(0, taken.length), "waiters have the oldest items, each once, in order");
      for (const { values = [], atMost } of given) assert.ok(values.length <= atMost);
      items.splice(0, taken.length);
      const asleep = here.filter(({ values }) => values === undefined);
      assert.ok(
        items.length === 0 || asleep.length === 0,
        `${items.length} items, and ${asleep.length} who wait for them`,
      );
      for (const { values, until } of here) {
        if (values?.length === 0) assert.ok(until <= this.#now, "nobody is sent away before the time is up");
      }
    }
    this.#waiters = this.#waiters.filter(({ values }) => values === undefined);
  }

  /** What a partition holds; empty when its time is over. */
  #living(partition: string): string[] {
    const found = this.#partitions.get(partition);
    if (found === undefined || found.keptUntil > this.#now) return found?.items ?? [];
    found.items = [];
    return found.items;
  }

  #anyPartition(): string {
    return this.#random.pick(partitions) ?? "";
  }

  #at(partition: string): { queueId: string; partitionKey: Uint8Array } {
    return { queueId: this.#queueId, partitionKey: encoder.encode(partition) };
  }

  get #now(): number {
    return this.#world.clock.now();
  }

  #note(what: string, how: string): void {
    this.happened[what] = (this.happened[what] ?? 0) + 1;
    this.history.push(`${what} ${how}`);
  }
}

function texts(values: readonly Uint8Array[]): string[] {
  return values.map((value) => decoder.decode(value));
}
