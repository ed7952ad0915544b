/** Queues over the RPCs: who waits, who gets what when something goes wrong, what is refused, and what is left behind. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";

import { ObjectCreationType } from "@lydian/contract";
import { turns, until } from "@lydian/testkit";

import type { LimitsInput } from "../../src/config.ts";
import { type ErrorCode, isFail } from "../../src/errors.ts";
import { World, rpc } from "../support/world.ts";

const fails = (code: ErrorCode, words: RegExp) => (error: unknown) =>
  (isFail(error, code) && words.test(error.text)) || assert.fail(String(error));

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const texts = (values: readonly Uint8Array[]): string[] => values.map((value) => new TextDecoder().decode(value));
const numbered = (count: number): Uint8Array[] => Array.from({ length: count }, (_, number) => bytes(`${number}`));

async function begin(limits: LimitsInput = {}) {
  const world = await World.begin({}, {}, { limits, times: { queuePartitionKept: 100_000 } });
  const creation = { deploymentName: "queue", objectCreationType: ObjectCreationType.CREATE_IF_MISSING };
  const { queueId } = await world.asUser(rpc.queueGetOrCreate, creation);
  const at = (partition: string) => ({ queueId, partitionKey: bytes(partition) });
  const put = (values: readonly string[], partition = "", seconds = 0) =>
    world.asUser(rpc.queuePut, { ...at(partition), values: values.map(bytes), partitionTtlSeconds: seconds });
  /** Waits for up to 40 s, or as long as it is said. */
  const get = async (options: { nValues?: number; key?: string; signal?: AbortSignal; timeout?: number } = {}) => {
    const { nValues = 1, key = world.newKey(), signal, timeout = 40 } = options;
    return texts((await world.asUser(rpc.queueGet, { ...at(""), nValues, timeout }, key, signal)).values);
  };
  const rows = async (): Promise<number> => {
    const { store } = await world.server();
    return await store.read(async (tx) => {
      let items = 0;
      for (let partition = 1; partition < 20; partition++) {
        items += (await tx.queues.after(partition, 0, { limit: 10_000, bytes: Number.POSITIVE_INFINITY })).length;
      }
      return items;
    });
  };
  return { world, queueId, at, put, get, rows, [Symbol.asyncDispose]: () => world[Symbol.asyncDispose]() };
}

describe("a get", () => {
  it("that waits writes nothing, and neither does one whose time is up", async () => {
    await using it = await begin();
    using database = new DatabaseSync(it.world.file, { readOnly: true });
    const version = database.prepare("PRAGMA data_version"); // another one after each change that somebody else commits
    await it.world.clock.advance(15_000); // the world's image is given up, and its log says so
    const logged = database.prepare("SELECT 1 FROM logs WHERE bytes > 0");
    await until(
      5_000,
      () => logged.get() !== undefined, // a file, at its own pace
      () => "the image's log says nothing",
    );
    await it.world.rest();
    const before = version.get();
    const waiting = it.get({ timeout: 30 });
    await it.world.rest();
    await it.world.clock.advance(30_000);
    assert.deepEqual(await waiting, []);
    assert.deepEqual(version.get(), before);
    await it.put(["something"]);
    assert.notDeepEqual(version.get(), before);
  });

  it("is answered when its time is up, and not before", async () => {
    await using it = await begin();
    let answered = false;
    const waiting = it.get({ timeout: 30 }).finally(() => (answered = true));
    await it.world.rest();
    await it.world.clock.advance(29_000);
    assert.equal(answered, false);
    await it.world.clock.advance(1_000);
    assert.deepEqual(await waiting, []);
  });

  it("takes nothing any more when its client is gone, at whatever moment that is", async () => {
    await using it = await begin();
    using database = new DatabaseSync(it.world.file, { readOnly: true });
    const items = database.prepare("SELECT count(*) AS items FROM queue_items");
    let left = 0;
    for (let moment = 0; moment < 12; moment++) {
      const leaves = new AbortController();
      const gone = it.get({ signal: leaves.signal }).catch(() => "gone");
      await it.world.rest();
      const patient = it.get();
      await it.world.rest();
      const put = it.put(["only"]);
      await turns(moment);
      leaves.abort(new Error("gone"));
      const isThere = items.get()?.["items"] === 1;
      await put;
      if (isThere) left++;
      // It may also not have been put yet, or have been taken before.
      if (isThere) assert.equal(await gone, "gone");
      else if (Array.isArray(await gone)) await it.put(["another"]);
      assert.equal((await patient).length, 1);
    }
    assert.ok(left > 0, "it was there when its client went");
  });

  it("learns at once that its queue was deleted", async () => {
    await using it = await begin();
    const waiting = assert.rejects(it.get(), fails("notFound", /was deleted/));
    const looking = assert.rejects(
      it.world.asUser(rpc.queueNextItems, { ...it.at(""), itemPollTimeout: 30 }),
      fails("notFound", /was deleted/),
    );
    await it.world.rest();
    await it.world.asUser(rpc.queueDelete, { queueId: it.queueId });
    await Promise.all([waiting, looking]);
  });

  it("of no values is refused", async () => {
    await using it = await begin();
    await assert.rejects(it.get({ nValues: 0 }), fails("invalidArgument", /1 is the least/));
  });
});

describe("a get, after its connection was lost,", () => {
  it("is answered with the same items, also by the next server", async () => {
    await using it = await begin();
    await it.put(["a", "b", "c"]);
    assert.deepEqual(await it.get({ nValues: 2, key: "lost" }), ["a", "b"]);
    assert.deepEqual(await it.get({ nValues: 2, key: "lost" }), ["a", "b"]);
    (await it.world.server()).kill();
    assert.deepEqual(await it.get({ nValues: 2, key: "lost" }), ["a", "b"]);
    assert.deepEqual(await it.get(), ["c"]);
  });

  it("is one get with the first one, which may still wait", async () => {
    await using it = await begin();
    const first = it.get({ key: "same" });
    await it.world.rest();
    const again = it.get({ key: "same" });
    await it.world.rest();
    const other = it.get({ timeout: 1 });
    await it.world.rest();
    await it.put(["only"]);
    await it.world.rest();
    assert.deepEqual([await first, await again], [["only"], ["only"]]);
    await it.world.clock.advance(1_000);
    assert.deepEqual(await other, []);
  });
});

describe("a put", () => {
  it("whose reply was lost has put once, wherever the server died", async () => {
    for (const when of ["before", "after"] as const) {
      await using it = await begin();
      const server = await it.world.server();
      server.fault = { write: server.writes + 1, when };
      await it.put(["a", "b"]);
      assert.ok(server.isDead);
      assert.deepEqual(await it.get({ nValues: 9 }), ["a", "b"]);
    }
  });

  it("goes in as a whole or not at all", async () => {
    await using it = await begin({ queuePartitionItems: 3 });
    await it.put(["a", "b"]);
    await assert.rejects(it.put(["c", "d"]), fails("resourceExhausted", /is full: 3 items/));
    await it.put(["c"]);
    assert.deepEqual(await it.get({ nValues: 9 }), ["a", "b", "c"]);
  });

  it("that can never go in is refused in another way than one that may later", async () => {
    await using it = await begin({
      queuePartitionItems: 3,
      queueItemBytes: 10,
      queuePutBytes: 20,
      queuePartitionBytes: 25,
    });
    await assert.rejects(it.put(["x".repeat(11)]), fails("tooLarge", /larger than 10 bytes.*status = '413'/));
    await assert.rejects(it.put(Array(3).fill("x".repeat(7))), fails("tooLarge", /more than 20 bytes.*status = '413'/));
    await assert.rejects(
      it.put(["a", "b", "c", "d"]),
      fails("tooLarge", /more items .* 3 is the most.*status = '413'/),
    );
    await it.put(["x".repeat(10), "y".repeat(10)]);
    await assert.rejects(it.put(["z".repeat(6)]), fails("resourceExhausted", /25 bytes are the most/));
  });

  it("into one partition too many is refused until another one's time is over", async () => {
    await using it = await begin({ queuePartitions: 2 });
    await it.put(["a"], "one", 1);
    await it.put(["b"], "two");
    await assert.rejects(it.put(["c"], "three"), fails("resourceExhausted", /"queue" has 2 partitions/));
    await it.put(["d"], "two");
    await it.world.clock.advance(61_000);
    await it.put(["c"], "three");
  });

  it("names its partition in 64 bytes, and keeps it for a time that there is", async () => {
    await using it = await begin();
    await it.put(["a"], "x".repeat(64));
    await assert.rejects(it.put(["a"], "x".repeat(65)), fails("invalidArgument", /65 bytes, and 64 is the most/));
    await assert.rejects(it.put(["a"], "", -1), fails("invalidArgument", /partition_ttl/));
    await assert.rejects(it.put(["a"], "", 7 * 86_400 + 1), fails("invalidArgument", /1 to 604800 s/));
  });
});

describe("a put into a full partition", () => {
  const full = { queuePartitionItems: 2 };
  const send = (it: Awaited<ReturnType<typeof begin>>, value: string, key: string) =>
    it.world.asUser(rpc.queuePut, { ...it.at(""), values: [bytes(value)] }, key);
  const isFull = fails("resourceExhausted", /is full/);

  it("is refused at once, and waits for room when it is sent again", async () => {
    await using it = await begin(full);
    await it.put(["a", "b"]);
    await assert.rejects(send(it, "c", "waits"), isFull);
    const waiting = send(it, "c", "waits");
    await it.world.rest();
    await assert.rejects(send(it, "d", "does not wait"), isFull);
    assert.deepEqual(await it.get(), ["a"]);
    await waiting;
    assert.deepEqual(await it.get({ nValues: 9 }), ["b", "c"]);
  });

  it("wakes when the queue or its partition is emptied", async () => {
    for (const allPartitions of [true, false]) {
      await using it = await begin(full);
      await it.put(["a", "b"]);
      await assert.rejects(send(it, "c", "waits"), isFull);
      const waiting = send(it, "c", "waits");
      await it.world.rest();
      await it.world.asUser(rpc.queueClear, { ...it.at(""), allPartitions });
      await waiting;
      assert.deepEqual(await it.get({ nValues: 9 }), ["c"]);
    }
  });

  it("is refused again when it was held for as long as any request is", async () => {
    await using it = await begin(full);
    await it.put(["a", "b"]);
    await assert.rejects(send(it, "c", "waits"), isFull);
    const waiting = assert.rejects(send(it, "c", "waits"), isFull);
    await it.world.rest();
    await it.world.clock.advance(50_000);
    await waiting;
    assert.deepEqual(await it.get({ nValues: 9 }), ["a", "b"]);
  });
});

describe("a partition", () => {
  it("is empty a time after its last put, the usual one or what that says", async () => {
    await using it = await begin();
    await it.put(["a"]);
    await it.world.clock.advance(99_000);
    await it.put(["b"]);
    await it.world.clock.advance(99_000);
    assert.deepEqual(await it.get({ timeout: 0 }), ["a"]);
    await it.world.clock.advance(1_000);
    assert.deepEqual(await it.get({ timeout: 0 }), []);
    await it.put(["c"], "", 10);
    await it.world.clock.advance(10_000);
    assert.deepEqual(await it.get({ timeout: 0 }), []);
  });

  it("goes when its time is over, also when nobody looks and it is much", async () => {
    await using it = await begin();
    await it.world.asUser(rpc.queuePut, { ...it.at(""), values: numbered(1_000), partitionTtlSeconds: 5 });
    await it.world.asUser(rpc.queuePut, { ...it.at("other"), values: numbered(3), partitionTtlSeconds: 600 });
    assert.equal(await it.rows(), 1_003);
    await it.world.clock.advance(120_000);
    assert.equal(await it.rows(), 3);
  });

  it("is looked at from where one left off, and anew when it was emptied", async () => {
    await using it = await begin();
    const look = async (lastEntryId: string) => {
      const { items } = await it.world.asUser(rpc.queueNextItems, { ...it.at(""), lastEntryId });
      return { values: texts(items.map(({ value }) => value)), last: items.at(-1)?.entryId ?? lastEntryId };
    };
    await it.put(["a", "b"]);
    const first = await look("");
    assert.deepEqual(first.values, ["a", "b"]);
    await it.get();
    await it.put(["c"]);
    const second = await look(first.last);
    assert.deepEqual(second.values, ["c"]);
    await it.world.asUser(rpc.queueClear, it.at(""));
    assert.deepEqual((await look(second.last)).values, []);
    await it.put(["d"]);
    assert.deepEqual((await look(second.last)).values, ["d"]);
    await assert.rejects(look("nonsense"), fails("invalidArgument", /no entry of a queue/));
  });
});

it("clearing and deleting take effect at once, and what was there goes by and by, over deaths", async () => {
  await using it = await begin();
  for (const partition of ["", "one", "two"]) {
    await it.world.asUser(rpc.queuePut, { ...it.at(partition), values: numbered(700) });
  }
  await it.world.asUser(rpc.queueClear, { queueId: it.queueId, allPartitions: true });
  assert.equal((await it.world.asUser(rpc.queueLen, { queueId: it.queueId, total: true })).len, 0);
  await it.put(["new"]);
  (await it.world.server()).kill();
  await it.world.rest();
  for (let i = 0; i < 3; i++) {
    const server = await it.world.server();
    server.fault = { write: server.writes + 2, when: i === 1 ? "after" : "before" };
    await it.world.clock.advance(1_000);
    it.world.check("while it goes");
  }
  (await it.world.server()).fault = undefined;
  await it.world.clock.advance(10_000);
  assert.equal(await it.rows(), 1);
  await it.world.asUser(rpc.queueDelete, { queueId: it.queueId });
  await it.world.clock.advance(1_000);
  assert.equal(await it.rows(), 0);
  it.world.check("in the end");
});
