/** Dicts and queues as such: their names, their lists, and how long ephemeral ones live. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { ObjectCreationType as Type } from "@lydian/contract";

import { type ErrorCode, isFail } from "../../src/errors.ts";
import { World, rpc } from "../support/world.ts";

const fails = (code: ErrorCode, words: RegExp) => (error: unknown) =>
  (isFail(error, code) && words.test(error.text)) || assert.fail(String(error));

const bytes = new Uint8Array([1]);
const minute = 60_000;

const dict = (world: World, deploymentName: string, objectCreationType: Type) =>
  world.asUser(rpc.dictGetOrCreate, { deploymentName, objectCreationType });
const queue = (world: World, deploymentName: string, objectCreationType: Type) =>
  world.asUser(rpc.queueGetOrCreate, { deploymentName, objectCreationType });

describe("a name", () => {
  it("is one object of its kind, made, kept or refused as the request says", async () => {
    await using world = await World.begin();
    await assert.rejects(
      dict(world, "a", Type.UNSPECIFIED),
      fails("notFound", /Dict "a" does not exist in environment "main".*modal dict create a/),
    );
    const { dictId, metadata } = await dict(world, "a", Type.CREATE_FAIL_IF_EXISTS);
    assert.match(dictId, /^di-/);
    assert.deepEqual([metadata?.name, metadata?.creationInfo?.createdBy], ["a", "home"]);
    assert.equal((await dict(world, "a", Type.CREATE_IF_MISSING)).dictId, dictId);
    assert.equal((await dict(world, "a", Type.UNSPECIFIED)).dictId, dictId);
    await assert.rejects(
      dict(world, "a", Type.CREATE_FAIL_IF_EXISTS),
      fails("alreadyExists", /Dict "a" exists already/),
    );
    const { queueId } = await queue(world, "a", Type.CREATE_FAIL_IF_EXISTS);
    assert.match(queueId, /^qu-/);
    assert.deepEqual((await world.asUser(rpc.dictGetById, { dictId })).metadata, metadata);
    await assert.rejects(
      world.asUser(rpc.queueGetById, { queueId: dictId }),
      fails("notFound", /Queue di-\S+ does not/),
    );
  });

  it("is one that clients accept, in an environment that there is", async () => {
    await using world = await World.begin();
    for (const name of ["", "no name", "a/b", "x".repeat(64)]) {
      await assert.rejects(
        dict(world, name, Type.CREATE_IF_MISSING),
        fails("invalidArgument", /cannot be a dict's name/),
      );
    }
    const elsewhere = { deploymentName: "a", environmentName: "elsewhere", objectCreationType: Type.CREATE_IF_MISSING };
    await assert.rejects(world.asUser(rpc.queueGetOrCreate, elsewhere), fails("notFound", /Environment "elsewhere"/));
    await assert.rejects(
      queue(world, "a", Type.CREATE_OVERWRITE_IF_EXISTS),
      fails("invalidArgument", /none is overwritten/),
    );
  });

  it("is free when its object was deleted, and the next one has nothing of it", async () => {
    await using world = await World.begin();
    const { dictId } = await dict(world, "a", Type.CREATE_IF_MISSING);
    await world.asUser(rpc.dictUpdate, { dictId, updates: [{ key: bytes, value: bytes }] });
    await world.asUser(rpc.dictDelete, { dictId });
    await assert.rejects(world.asUser(rpc.dictLen, { dictId }), fails("notFound", /was deleted/));
    const next = await dict(world, "a", Type.CREATE_IF_MISSING);
    assert.notEqual(next.dictId, dictId);
    assert.equal((await world.asUser(rpc.dictLen, { dictId: next.dictId })).len, 0);
  });

  it("is listed from the newest on, a page at a time, without those that have none", async () => {
    await using world = await World.begin();
    await dict(world, "", Type.EPHEMERAL);
    for (let number = 0; number < 5; number++) await dict(world, `d${number}`, Type.CREATE_IF_MISSING);
    await queue(world, "q", Type.CREATE_IF_MISSING);
    const seen: string[] = [];
    for (let createdBefore = 0; ;) {
      const { dicts } = await world.asUser(rpc.dictList, { pagination: { maxObjects: 2, createdBefore } });
      seen.push(...dicts.map(({ name }) => name));
      if (dicts.length < 2) break;
      createdBefore = dicts.at(-1)?.metadata?.creationInfo?.createdAt ?? 0;
    }
    assert.deepEqual(seen, ["d4", "d3", "d2", "d1", "d0"]);
    assert.deepEqual(
      (await world.asUser(rpc.queueList, {})).queues.map(({ name }) => name),
      ["q"],
    );
  });
});

describe("an ephemeral one", () => {
  it("lives as long as its client is heard of, also by another server, and goes with its contents", async () => {
    await using world = await World.begin();
    const { dictId } = await dict(world, "", Type.EPHEMERAL);
    const { queueId } = await queue(world, "", Type.EPHEMERAL);
    await world.asUser(rpc.dictUpdate, { dictId, updates: [{ key: bytes, value: bytes }] });
    await world.asUser(rpc.queuePut, { queueId, values: [bytes] });
    const lives = async (): Promise<boolean[]> => {
      const { store } = await world.server();
      return store.read(async (tx) => [
        (await tx.objects.get(dictId)) !== undefined,
        (await tx.objects.get(queueId)) !== undefined,
      ]);
    };
    await world.clock.advance(10 * minute);
    await world.asUser(rpc.dictHeartbeat, { dictId });
    await world.clock.advance(2 * minute);
    assert.deepEqual(await lives(), [true, false]);
    await world.clock.advance(8 * minute);
    (await world.server()).kill();
    await world.rest();
    await world.clock.advance(10 * minute);
    assert.deepEqual(await lives(), [true, false], "it has a whole term again");
    await world.clock.advance(2 * minute);
    assert.deepEqual(await lives(), [false, false]);
    await assert.rejects(world.asUser(rpc.dictHeartbeat, { dictId }), fails("notFound", /its client is gone/));
    world.check("when both are gone");
  });

  it("is made once when its reply was lost", async () => {
    await using world = await World.begin();
    const server = await world.server();
    server.fault = { write: server.writes + 1, when: "after" };
    const { dictId } = await dict(world, "", Type.EPHEMERAL);
    const { store } = await world.server();
    assert.deepEqual(await store.read((tx) => tx.objects.ephemeral()), [dictId]);
  });

  it("ends no named one by its silence", async () => {
    await using world = await World.begin();
    const { dictId } = await dict(world, "a", Type.CREATE_IF_MISSING);
    await world.asUser(rpc.dictHeartbeat, { dictId });
    await world.clock.advance(30 * minute);
    assert.equal((await dict(world, "a", Type.UNSPECIFIED)).dictId, dictId);
  });
});
