/** Dicts over the RPCs: how long entries are kept, how all of them are read, what is refused, and what a death leaves. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { ObjectCreationType } from "@lydian/contract";

import type { LimitsInput } from "../../src/config.ts";
import { type ErrorCode, isFail } from "../../src/errors.ts";
import { World, rpc } from "../support/world.ts";

const fails = (code: ErrorCode, words: RegExp) => (error: unknown) =>
  (isFail(error, code) && words.test(error.text)) || assert.fail(String(error));

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (value: Uint8Array): string => new TextDecoder().decode(value);

/** Of the week that an entry is kept: shorter than the world's, so that the clock need not go so far. */
const day = 24_000;
/** An entry may be kept for so much longer. */
const hour = 1_000;
const caller = { kind: "user", tokenId: "ak-owner" } as const;

async function begin(limits: LimitsInput = {}) {
  const world = await World.begin({}, {}, { limits, times: { dictEntryKept: 7 * day } });
  const creation = { deploymentName: "dict", objectCreationType: ObjectCreationType.CREATE_IF_MISSING };
  const { dictId } = await world.asUser(rpc.dictGetOrCreate, creation);
  const put = (entries: Record<string, string>, ifNotExists = false) =>
    world.asUser(rpc.dictUpdate, { dictId, updates: entriesOf(entries), ifNotExists });
  const get = async (key: string): Promise<string | undefined> => {
    const { found, value } = await world.asUser(rpc.dictGet, { dictId, key: bytes(key) });
    return found && value !== undefined ? text(value) : undefined;
  };
  const contents = async function* (values: boolean) {
    const server = await world.server();
    for await (const { key, value } of server.stream(rpc.dictContents, { dictId, keys: true, values }, { caller })) {
      yield [text(key), text(value)] as const;
    }
  };
  const all = async (): Promise<Record<string, string>> => Object.fromEntries(await collect(contents(true)));
  const rows = async (): Promise<number> => {
    const { store } = await world.server();
    return await store.read(async (tx) => {
      let entries = 0;
      for (let dict = 1; dict < 20; dict++) entries += await tx.dicts.count(dict, 0, 100_000);
      return entries;
    });
  };
  return { world, dictId, put, get, contents, all, rows, [Symbol.asyncDispose]: () => world[Symbol.asyncDispose]() };
}

async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const each of stream) all.push(each);
  return all;
}

function entriesOf(entries: Record<string, string>): { key: Uint8Array; value: Uint8Array }[] {
  return Object.entries(entries).map(([key, value]) => ({ key: bytes(key), value: bytes(value) }));
}

const many = (count: number, value = "value"): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, number) => [`key ${number}`, value]));

describe("an entry", () => {
  it("is kept for seven days after its last use, and not much longer", async () => {
    await using it = await begin();
    await it.put({ got: "1", asked: "2", walked: "3", listed: "4", left: "5" });
    await it.world.clock.advance(5 * day);
    const key = (name: string) => ({ dictId: it.dictId, key: bytes(name) });
    assert.equal(await it.get("got"), "1");
    assert.equal((await it.world.asUser(rpc.dictContains, key("asked"))).found, true);
    await it.put({ walked: "other" }, true);
    await collect(it.contents(false));
    await it.world.clock.advance(2 * day + hour);
    assert.deepEqual(Object.keys(await it.all()).toSorted(), ["asked", "got", "walked"]);
    await it.world.clock.advance(7 * day - 1);
    assert.deepEqual(Object.keys(await it.all()).toSorted(), ["asked", "got", "walked"]);
    await it.world.clock.advance(8 * day);
    assert.deepEqual(await it.all(), {});
  });

  it("that is over is not there for anybody, and goes when nobody looks", async () => {
    await using it = await begin();
    await it.put(many(450));
    await it.world.clock.advance(6 * day);
    await it.put({ fresh: "1" });
    const server = await it.world.server();
    server.kill();
    await it.world.server(); // no round of the reaper has been since
    await it.world.clock.advance(day + hour - 1);
    assert.equal(await it.rows(), 451);
    await it.world.clock.advance(1);
    const { dictId } = it;
    assert.equal(await it.get("key 1"), undefined);
    assert.equal((await it.world.asUser(rpc.dictLen, { dictId })).len, 1);
    assert.equal((await it.world.asUser(rpc.dictPop, { dictId, key: bytes("key 2") })).found, false);
    assert.equal((await it.put({ "key 3": "new" }, true)).created, true);
    assert.deepEqual(await it.all(), { fresh: "1", "key 3": "new" });
    await it.world.clock.advance(120_000);
    assert.equal(await it.rows(), 2);
  });

  it("that is read again soon is not written for it", async () => {
    await using it = await begin();
    await it.put({ a: "1" });
    const { writes } = await it.world.server();
    for (let read = 0; read < 20; read++) assert.equal(await it.get("a"), "1");
    await it.all();
    assert.equal((await it.world.server()).writes, writes);
  });
});

describe("all entries", () => {
  it("are read a portion at a time, when their reader goes on", async () => {
    await using it = await begin();
    await it.put(many(6, "x".repeat(600_000)));
    const stream = it.contents(true);
    const first = await stream.next();
    assert.ok(!first.done);
    // The rest of the first portion was read before this; nothing beyond it was.
    await it.put(many(6, "changed"));
    const rest = await collect(stream);
    const keys = [first.value, ...rest].map(([key]) => key);
    assert.deepEqual(new Set(keys), new Set(Object.keys(many(6))));
    assert.deepEqual(
      rest.map(([, value]) => value.length),
      [600_000, 7, 7, 7, 7],
    );
  });

  it("come once each, whatever is put and taken meanwhile", async () => {
    await using it = await begin();
    await it.put(many(3_000, "x".repeat(1_000)));
    const seen: string[] = [];
    for await (const [key] of it.contents(true)) {
      seen.push(key);
      if (seen.length % 500 === 0) await it.put({ [`extra ${seen.length}`]: "1", "key 0": "again" });
      if (seen.length === 10) await it.world.asUser(rpc.dictPop, { dictId: it.dictId, key: bytes("key 999") });
    }
    assert.equal(new Set(seen).size, seen.length);
    const stayed = Object.keys(many(3_000)).filter((key) => key !== "key 999" && !seen.includes(key));
    assert.deepEqual(stayed, []);
  });

  it("end with the dict", async () => {
    await using it = await begin();
    await it.put(many(4, "x".repeat(600_000)));
    const stream = it.contents(true);
    await stream.next();
    await it.world.asUser(rpc.dictDelete, { dictId: it.dictId });
    await assert.rejects(collect(stream), fails("notFound", /was deleted/));
  });
});

describe("an update", () => {
  it("is done once, wherever the server dies, and says the same of it", async () => {
    for (const when of ["before", "after"] as const) {
      await using it = await begin();
      const server = await it.world.server();
      server.fault = { write: server.writes + 1, when };
      assert.equal((await it.put({ a: "1" }, true)).created, true);
      assert.ok(server.isDead);
      const next = await it.world.server();
      next.fault = { write: next.writes + 1, when };
      const popped = await it.world.asUser(rpc.dictPop, { dictId: it.dictId, key: bytes("a") });
      assert.ok(next.isDead);
      assert.deepEqual([popped.found, popped.value && text(popped.value)], [true, "1"]);
      assert.equal(await it.get("a"), undefined);
    }
  });

  it("is refused as a whole when one of its entries is too large, or there are too many", async () => {
    await using it = await begin({ dictEntryBytes: 10, dictUpdateEntries: 3 });
    await it.put({ abcde: "12345" });
    await assert.rejects(it.put({ a: "1", abcde: "123456" }), fails("tooLarge", /11 bytes, and 10 .*status = '413'/));
    await assert.rejects(it.put(many(4, "")), fails("tooLarge", /4 entries, and 3 is the most.*status = '413'/));
    await assert.rejects(it.put({ "": "1" }), fails("invalidArgument", /cannot be empty/));
    assert.deepEqual(await it.all(), { abcde: "12345" });
  });
});

it("clearing takes effect at once, and what was there goes by and by, over deaths", async () => {
  await using it = await begin();
  await it.put(many(1_500));
  await it.world.asUser(rpc.dictClear, { dictId: it.dictId });
  assert.deepEqual(await it.all(), {});
  await it.put({ new: "1" });
  for (let i = 0; i < 3; i++) {
    const server = await it.world.server();
    server.fault = { write: server.writes + 2, when: i === 1 ? "after" : "before" };
    await it.world.clock.advance(1_000);
    it.world.check("while it goes");
  }
  (await it.world.server()).fault = undefined;
  await it.world.clock.advance(10_000);
  assert.equal(await it.rows(), 1);
  assert.deepEqual(await it.all(), { new: "1" });
});
