/** A request that comes again, because its reply was lost, gets the same reply and changes nothing. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { AppState } from "@lydian/contract";

import { isFail } from "../../src/errors.ts";
import { World, rpc } from "../support/world.ts";

const appsIn = async (world: World): Promise<number> => {
  const { apps } = await world.asUser(rpc.appList, {});
  return apps.length;
};

const create = (world: World, key: string | undefined, tokenId = "ak-owner") =>
  world.repeating((server) =>
    server.call(
      rpc.appCreate,
      { description: "twice", appState: AppState.EPHEMERAL },
      { caller: { kind: "user", tokenId }, ...(key !== undefined && { idempotencyKey: key }) },
    ),
  );

describe("the same key", () => {
  it("of the same caller gives the same reply, also from the next server", async () => {
    await using world = await World.begin();
    const first = await create(world, "key");
    assert.deepEqual(await create(world, "key"), first);
    (await world.server()).kill();
    assert.deepEqual(await create(world, "key"), first);
    assert.equal(await appsIn(world), 2, "the world's own and this one");
  });

  it("at the same time is one request", async () => {
    await using world = await World.begin();
    const replies = await Promise.all(Array.from({ length: 5 }, () => create(world, "key")));
    assert.equal(new Set(replies.map(({ appId }) => appId)).size, 1);
  });

  it("of another caller is another request", async () => {
    await using world = await World.begin();
    const [mine, other] = [await create(world, "key"), await create(world, "key", "ak-other")];
    assert.notEqual(mine.appId, other.appId);
  });

  it("for another RPC is another request", async () => {
    await using world = await World.begin();
    const { appId } = await create(world, "key");
    const callId = await world.submit("x", "key");
    assert.notEqual(callId, appId);
    assert.match(callId, /^fc-/);
  });

  it("of a request that failed tries it again", async () => {
    await using world = await World.begin();
    const { functionId } = world;
    world.functionId = "fu-none";
    await assert.rejects(world.submit("x", "key"), (error) => isFail(error, "notFound"));
    world.functionId = functionId;
    assert.match(await world.submit("x", "key"), /^fc-/);
  });

  it("is forgotten with its reply, some time after", async () => {
    await using world = await World.begin();
    const first = await create(world, "key");
    for (let minute = 0; minute < 12; minute++) {
      await world.clock.advance(50_000);
      await world.keepAlive();
    }
    assert.deepEqual(await create(world, "key"), first, "within its ten minutes");
    await world.clock.advance(120_000);
    assert.notEqual((await create(world, "key")).appId, first.appId);
  });
});

describe("no key", () => {
  it("makes each request one of its own", async () => {
    await using world = await World.begin();
    const [first, second] = [await create(world, undefined), await create(world, undefined)];
    assert.notEqual(first.appId, second.appId);
  });
});
