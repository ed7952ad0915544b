/** Versions of an app: what a deploy defines shows only once it is published, whole, and can be put into effect again. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { create } from "@bufbuild/protobuf";
import { FunctionSchema$ } from "@lydian/contract";

import { createApp } from "../../src/apps/create.ts";
import { promote, rollBack, rollOver } from "../../src/apps/deploy.ts";
import { deployedApp, knownApp } from "../../src/apps/known.ts";
import { deployApp } from "../../src/apps/publish.ts";
import { stopApp } from "../../src/apps/stop.ts";
import type { App } from "../../src/domain/app.ts";
import type { FunctionRecord } from "../../src/domain/function.ts";
import { isFail } from "../../src/errors.ts";
import { decodeDefinition } from "../../src/functions/definition.ts";
import { defineFunction } from "../../src/functions/define.ts";
import { findFunction } from "../../src/functions/lookup.ts";
import { functionPolicy } from "../../src/functions/policy.ts";
import { ensureIdentity } from "../../src/identity/first-start.ts";
import { type TestStore, testStore } from "../support/open-store.ts";
import { deployment, image, plantContainer } from "../support/rows.ts";

const ownerToken = { id: "ak-1", secretSha256: "0".repeat(64) };
const origin = { deployedBy: "home", clientVersion: "1.6.4" };

/** An app that is not deployed yet, and a client that deploys it. */
async function shop() {
  const test = await testStore();
  const app = await test.does(async (tx, context) => {
    await ensureIdentity(tx, { workspace: "home", ownerToken }, context);
    await tx.images.put(image({ id: "im-1", key: "default" }));
    const asked = { name: "shop", environment: "", state: "initializing", createdBy: "home", tags: {} } as const;
    return await createApp(tx, asked, context);
  });
  const known = (): Promise<App> => test.store.read((tx) => knownApp(tx, app.id));
  /** As the client does it first, function by function; `timeout` stands for its code. */
  const define = (name: string, timeout: number, more: { minContainers?: number } = {}): Promise<FunctionRecord> =>
    test.does(async (tx, context) => {
      const warmPoolSize = more.minContainers ?? 0;
      const definition = create(FunctionSchema$, {
        functionName: name,
        imageId: "im-1",
        timeoutSecs: timeout,
        warmPoolSize,
      });
      const existingId = (await knownApp(tx, app.id)).layout.functionIds[name] ?? "";
      const asked = {
        appId: app.id,
        definition,
        policy: functionPolicy(definition),
        existingId,
        clientVersion: "1.6.4",
      };
      return await defineFunction(tx, asked, context);
    });
  /** And then, all at once. */
  const publish = (records: readonly FunctionRecord[], changes: { tag?: string; isStaged?: boolean } = {}) =>
    test.does((tx, context) => {
      const functionIds = Object.fromEntries(records.map(({ name, id }) => [name, id]));
      const definitions = Object.fromEntries(records.map(({ id, definitionId }) => [id, definitionId]));
      const asked = { appId: app.id, layout: { functionIds, classIds: {} }, definitions, ...changes };
      return deployApp(tx, deployment(asked), context);
    });
  const deploy = async (functions: Record<string, number>) => {
    const records: FunctionRecord[] = [];
    for (const [name, timeout] of Object.entries(functions)) records.push(await define(name, timeout));
    return await publish(records);
  };
  /** What calls get now, by function. */
  const inEffect = async (): Promise<Record<string, number>> =>
    await test.store.read(async (tx) => {
      const found: Record<string, number> = {};
      for (const [name, id] of Object.entries((await knownApp(tx, app.id)).layout.functionIds)) {
        const record = await tx.functions.get(id);
        if (record !== undefined) found[name] = decodeDefinition(record).timeoutSecs;
      }
      return found;
    });
  const versions = () => test.store.read((tx) => tx.deployments.ofApp(app.id, 100));
  return { ...test, app, known, define, publish, deploy, inEffect, versions };
}

const day = 86_400_000;

/** As the reaper does it. */
const reap = async (test: TestStore): Promise<void> => {
  const before = test.clock.now() - day;
  await test.does((tx) => tx.editions.forget(before, 1_000));
};

describe("a deployment", () => {
  it("shows nothing of itself before it is published, and then all", async () => {
    await using test = await shop();
    await test.deploy({ hello: 1, bye: 1 });
    const hello = await test.define("hello", 2);
    await test.define("fresh", 2);
    assert.deepEqual(await test.inEffect(), { hello: 1, bye: 1 });
    await test.publish([hello, await test.define("bye", 3)]);
    assert.deepEqual(await test.inEffect(), { hello: 2, bye: 3 });
    assert.deepEqual([(await test.known()).version, (await test.known()).deployedBy], [2, "home"]);
  });

  it("whose client dies half-way changes nothing, and is forgotten after a day", async () => {
    await using test = await shop();
    await test.deploy({ hello: 1 });
    const half = await test.define("hello", 2, { minContainers: 3 });
    assert.deepEqual(await test.inEffect(), { hello: 1 });
    assert.equal((await test.store.read((tx) => tx.functions.demand(half.id)))?.policy.minContainers, 0);
    await test.clock.advance(2 * day);
    await reap(test);
    await assert.rejects(test.publish([half]), (error) => isFail(error, "failedPrecondition"));
    assert.deepEqual(await test.inEffect(), { hello: 1 });
  });

  it("at the same time as another one: whoever publishes last is in effect, whole", async () => {
    await using test = await shop();
    await test.deploy({ hello: 1, bye: 1 });
    const [mine, yours] = [await test.define("hello", 2), await test.define("hello", 3)];
    const [myBye, yourBye] = [await test.define("bye", 2), await test.define("bye", 3)];
    await test.publish([yours, yourBye]);
    assert.deepEqual(await test.inEffect(), { hello: 3, bye: 3 });
    await test.publish([mine, myBye]);
    assert.deepEqual(await test.inEffect(), { hello: 2, bye: 2 });
    assert.deepEqual(
      (await test.versions()).map(({ version }) => version),
      [3, 2, 1],
    );
  });

  it("of what is deployed already is none; a tag, a change or new settings make it one", async () => {
    await using test = await shop();
    await test.deploy({ hello: 1 });
    assert.equal(await test.deploy({ hello: 1 }), undefined);
    assert.equal((await test.known()).version, 1);
    const same = await test.define("hello", 1);
    assert.ok(await test.publish([same], { tag: "v1.0" }));
    assert.equal(await test.publish([same], { tag: "v1.0" }), undefined);
    await test.does(async (tx) => tx.functions.put({ ...same, policy: { ...same.policy, maxContainers: 1 } }));
    assert.ok(await test.deploy({ hello: 1 }), "what was changed while it ran is undone");
    assert.notEqual((await test.store.read((tx) => tx.functions.get(same.id)))?.policy.maxContainers, 1);
    assert.deepEqual(
      (await test.versions()).map(({ tag }) => tag),
      ["", "v1.0", ""],
    );
  });
});

describe("a deployment's containers", () => {
  it("are left alone whose function has not changed", async () => {
    await using test = await shop();
    await test.deploy({ hello: 1, bye: 1 });
    const [hello, bye] = [await test.define("hello", 1), await test.define("bye", 1)];
    const [kept, replaced] = await test.does(async (tx, context) => [
      await plantContainer(tx, hello, context),
      await plantContainer(tx, bye, context),
    ]);
    await test.deploy({ hello: 1, bye: 2 });
    const state = (id = "") => test.store.read(async (tx) => (await tx.containers.get(id))?.state);
    assert.deepEqual([await state(kept?.id), await state(replaced?.id)], ["ready", "ready"]);
    const isOld = await test.store.read(async (tx) => {
      const [container, demand] = [await tx.containers.get(replaced?.id ?? ""), await tx.functions.demand(bye.id)];
      return container?.definitionId !== demand?.definitionId;
    });
    assert.ok(isOld, "the scheduler ends it when there is another one");
  });

  it("end at once that are not ready yet", async () => {
    await using test = await shop();
    await test.deploy({ hello: 1 });
    const hello = await test.define("hello", 1);
    const starting = await test.does((tx, context) => plantContainer(tx, hello, context, { state: "starting" }));
    await test.deploy({ hello: 2 });
    assert.equal((await test.store.read((tx) => tx.containers.get(starting.id)))?.state, "draining");
  });

  it("that crashed are forgotten with what they ran", async () => {
    await using test = await shop();
    await test.deploy({ hello: 1 });
    const { id } = await test.define("hello", 1);
    await test.does((tx, context) => tx.functions.setCrashes(id, 5, context.now + 60_000));
    await test.deploy({ hello: 2 });
    const { crashStreak, notBefore } = (await test.store.read((tx) => tx.functions.demand(id))) ?? assert.fail();
    assert.deepEqual([crashStreak, notBefore], [0, 0]);
  });

  it("of a function that it no longer has are not kept", async () => {
    await using test = await shop();
    const pool = await test.define("pool", 1, { minContainers: 2 });
    await test.publish([pool, await test.define("hello", 1)]);
    const kept = () => test.store.read(async (tx) => (await tx.functions.demand(pool.id))?.policy.minContainers);
    assert.equal(await kept(), 2);
    await test.publish([await test.define("hello", 1)]);
    assert.equal(await kept(), 0);
    await test.does(async (tx, context) => rollBack(tx, await knownApp(tx, test.app.id), 1, origin, context));
    assert.equal(await kept(), 2);
  });
});

describe("an earlier version", () => {
  it("is put into effect again as a version of its own", async () => {
    await using test = await shop();
    await test.deploy({ hello: 1 });
    await test.deploy({ hello: 2, bye: 2 });
    await test.deploy({ hello: 3 });
    const back = (version: number) =>
      test.does(async (tx, context) => rollBack(tx, await knownApp(tx, test.app.id), version, origin, context));
    await back(-1);
    assert.deepEqual(await test.inEffect(), { hello: 2, bye: 2 });
    await back(1);
    assert.deepEqual(await test.inEffect(), { hello: 1 });
    assert.deepEqual(
      (await test.versions()).map(({ version, kind, madeFrom }) => [version, kind, madeFrom]),
      [
        [5, "rollback", 1],
        [4, "rollback", 2],
        [3, "standard", 0],
        [2, "standard", 0],
        [1, "standard", 0],
      ],
    );
    await assert.rejects(back(9), (error) => isFail(error, "notFound") && /no version v9/.test(error.text));
  });

  it("can be put into effect for as long as it is one of the last fifty", async () => {
    await using test = await shop();
    for (let n = 1; n <= 53; n++) await test.deploy({ hello: n });
    await test.clock.advance(2 * day);
    await reap(test);
    const back = (version: number) =>
      test.does(async (tx, context) => rollBack(tx, await knownApp(tx, test.app.id), version, origin, context));
    await assert.rejects(back(2), (error) => isFail(error, "failedPrecondition") && /too old/.test(error.text));
    await back(4);
    assert.deepEqual(await test.inEffect(), { hello: 4 });
    assert.equal((await test.versions()).filter(({ isKept }) => isKept).length, 51);
  });

  it("that was staged waits until it is promoted", async () => {
    await using test = await shop();
    await test.deploy({ hello: 1 });
    await test.publish([await test.define("hello", 2)], { isStaged: true });
    assert.deepEqual([await test.inEffect(), (await test.known()).version], [{ hello: 1 }, 1]);
    await test.does(async (tx, context) => promote(tx, await knownApp(tx, test.app.id), 2, origin, context));
    assert.deepEqual([await test.inEffect(), (await test.known()).version], [{ hello: 2 }, 3]);
  });

  it("is rolled over: the same functions in new containers", async () => {
    await using test = await shop();
    await test.deploy({ hello: 1 });
    const hello = await test.define("hello", 1);
    const old = await test.does((tx, context) => plantContainer(tx, hello, context));
    await test.does(async (tx, context) => rollOver(tx, await knownApp(tx, test.app.id), origin, context));
    assert.deepEqual(await test.inEffect(), { hello: 1 });
    const now = await test.store.read((tx) => tx.functions.get(hello.id));
    assert.notEqual(now?.definitionId, old.definitionId);
    assert.equal(await test.deploy({ hello: 1 }), undefined, "and that is what is deployed");
  });

  it("of an app that has stopped is kept no longer, and its name says which app it was", async () => {
    await using test = await shop();
    await test.deploy({ hello: 1 });
    await test.does(async (tx, context) => {
      await stopApp(tx, await knownApp(tx, test.app.id), { reason: "x", stoppedBy: "home", graceMs: 0 }, context);
    });
    await test.clock.advance(2 * day);
    await reap(test);
    assert.equal((await test.known()).stoppedBy, "home");
    const [only] = await test.versions();
    assert.equal(only?.isKept, false);
    const definitionId = Object.values(only?.definitions ?? {})[0] ?? "";
    assert.equal(await test.store.read((tx) => tx.editions.get(definitionId)), undefined);
    await assert.rejects(
      test.store.read((tx) => deployedApp(tx, "", "shop")),
      (error) => isFail(error, "notFound"),
    );
    const before = await test.store.read((tx) => tx.apps.lastStopped(test.app.environmentId, "shop"));
    assert.equal(before?.id, test.app.id);
  });
});

describe("a version that is not in effect", () => {
  const whenClass = (message: string): Error => new Error(message);
  const find = (it: Awaited<ReturnType<typeof shop>>, tag: string, version: number) =>
    it.does((tx, context) => findFunction(tx, { app: "shop", environment: "", tag, version }, whenClass, context));
  const timeoutOf = (record: FunctionRecord): number => decodeDefinition(record).timeoutSecs;

  it("is called as it was, whatever is deployed later, and is one function however often it is asked for", async () => {
    await using it = await shop();
    await it.deploy({ sell: 10, buy: 20 });
    const first = await find(it, "sell", 1);
    assert.equal((await find(it, "sell", 0)).id, first.id, "as long as it is in effect, it is the function itself");
    await it.deploy({ sell: 11, buy: 20 });
    const pinned = await find(it, "sell", 1);
    assert.notEqual(pinned.id, first.id);
    assert.deepEqual([timeoutOf(pinned), timeoutOf(await find(it, "sell", 2))], [10, 11]);
    assert.equal((await find(it, "buy", 1)).id, (await find(it, "buy", 0)).id, "what has not changed is the same");
    await it.deploy({ sell: 12 });
    const again = await find(it, "sell", 1);
    assert.deepEqual([again.id, timeoutOf(again)], [pinned.id, 10]);
    assert.equal(timeoutOf(await find(it, "buy", 2)), 20, "also what is no more");
    assert.deepEqual(await it.inEffect(), { sell: 12 });
  });

  it("keeps no container, and ends with its app", async () => {
    await using it = await shop();
    await it.publish([await it.define("sell", 10, { minContainers: 2 })]);
    await it.publish([await it.define("sell", 11, { minContainers: 2 })]);
    const { id, policy } = await find(it, "sell", 1);
    assert.equal(policy.minContainers, 0);
    const functions = await it.store.read((tx) => tx.functions.ofApp(it.app.id));
    assert.ok(functions.some((each) => each.id === id));
    await assert.rejects(find(it, "sell", 7), (error) => isFail(error, "notFound") && /v7/.test(error.text));
  });
});
