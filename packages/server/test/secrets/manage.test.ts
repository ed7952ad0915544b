/** Secrets as the clients make, find, change and lose them: over the RPCs, and in the store. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { ObjectCreationType as Type } from "@lydian/contract";

import { type ErrorCode, isFail } from "../../src/errors.ts";
import { World, defaultImage, rpc } from "../support/world.ts";

const fails = (code: ErrorCode, words: RegExp) => (error: unknown) =>
  (isFail(error, code) && words.test(error.text)) || assert.fail(String(error));

/** A world whose user makes secrets. */
async function begin() {
  const world = await World.begin();
  const create = (deploymentName: string, envDict: Record<string, string>, objectCreationType: Type, more = {}) =>
    world.asUser(rpc.secretGetOrCreate, { deploymentName, envDict, objectCreationType, ...more });
  const find = (deploymentName: string, requiredKeys: string[] = []) =>
    world.asUser(rpc.secretGetOrCreate, { deploymentName, requiredKeys });
  const names = async (): Promise<string[]> => (await world.asUser(rpc.secretList, {})).items.map(({ label }) => label);
  return { world, create, find, names, [Symbol.asyncDispose]: () => world[Symbol.asyncDispose]() };
}

describe("a named secret", () => {
  it("is found by its name, with the names of its variables and nothing of their values", async () => {
    await using it = await begin();
    const made = await it.create("db", { USER: "u", PASSWORD: "canary" }, Type.CREATE_FAIL_IF_EXISTS);
    const found = await it.find("db");
    assert.equal(found.secretId, made.secretId);
    assert.match(found.secretId, /^st-/);
    const { metadata } = await it.world.asUser(rpc.secretGetInfo, { secretId: found.secretId });
    assert.deepEqual([metadata?.name, metadata?.keys, metadata?.environmentName], ["db", ["PASSWORD", "USER"], "main"]);
    assert.deepEqual(metadata, found.metadata);
    assert.equal(metadata?.creationInfo?.createdBy, "home");
    assert.equal(JSON.stringify(found).includes("canary"), false);
  });

  it("is asked for its variables", async () => {
    await using it = await begin();
    await it.create("db", { USER: "u", PASSWORD: "p" }, Type.CREATE_FAIL_IF_EXISTS);
    await it.find("db", ["USER", "PASSWORD"]);
    await assert.rejects(
      it.find("db", ["USER", "HOST", "PORT"]),
      fails("failedPrecondition", /^Secret is missing key\(s\): HOST, PORT .*"db"/),
    );
    await assert.rejects(
      it.find("nothing"),
      fails("notFound", /"nothing" does not exist in environment "main".*modal secret create/),
    );
    const elsewhere = { deploymentName: "db", environmentName: "elsewhere" };
    await assert.rejects(
      it.world.asUser(rpc.secretGetOrCreate, elsewhere),
      fails("notFound", /Environment "elsewhere"/),
    );
  });

  it("is made, kept, refused or replaced as the request says", async () => {
    await using it = await begin();
    const { secretId } = await it.create("db", { A: "1" }, Type.CREATE_IF_MISSING);
    assert.equal((await it.create("db", { B: "2" }, Type.CREATE_IF_MISSING)).secretId, secretId);
    assert.deepEqual((await it.find("db")).metadata?.keys, ["A"]);
    await assert.rejects(
      it.create("db", { B: "2" }, Type.CREATE_FAIL_IF_EXISTS),
      fails("alreadyExists", /"db" exists already.*--force/),
    );
    const replaced = await it.create("db", { B: "2" }, Type.CREATE_OVERWRITE_IF_EXISTS);
    assert.equal(replaced.secretId, secretId);
    assert.deepEqual(replaced.metadata?.keys, ["B"]);
    const fresh = await it.create("new", { B: "2" }, Type.CREATE_OVERWRITE_IF_EXISTS);
    assert.notEqual(fresh.secretId, secretId);
  });

  it("is updated key by key, and a key without a value goes", async () => {
    await using it = await begin();
    const { secretId } = await it.create("db", { A: "1", B: "2" }, Type.CREATE_FAIL_IF_EXISTS);
    await it.world.asUser(rpc.secretUpdate, {
      secretId,
      updates: [{ key: "C", value: "3" }, { key: "A", value: "9" }, { key: "B" }],
    });
    assert.deepEqual((await it.find("db")).metadata?.keys, ["A", "C"]);
    const missing = it.world.asUser(rpc.secretUpdate, { secretId: "st-none", updates: [] });
    await assert.rejects(missing, fails("notFound", /st-none does not exist/));
  });

  it("that is deleted is found no more, its name is free, and errors name it", async () => {
    await using it = await begin();
    const { secretId } = await it.create("db", { A: "1" }, Type.CREATE_FAIL_IF_EXISTS);
    await it.world.asUser(rpc.secretDelete, { secretId }, "the same request");
    await it.world.asUser(rpc.secretDelete, { secretId }, "the same request");
    await assert.rejects(it.find("db"), fails("notFound", /"db" does not exist/));
    await assert.rejects(it.world.asUser(rpc.secretDelete, { secretId }), fails("notFound", /"db" was deleted/));
    const again = await it.create("db", { A: "2" }, Type.CREATE_FAIL_IF_EXISTS);
    assert.notEqual(again.secretId, secretId);
    assert.deepEqual(await it.names(), ["db"]);
  });
});

describe("a secret that cannot be", () => {
  it("by its name, a key or a value, is refused, and its value is not told", async () => {
    await using it = await begin();
    const make = (name: string, values: Record<string, string>) => it.create(name, values, Type.CREATE_FAIL_IF_EXISTS);
    for (const name of ["", "a b", "a/b", "ü", "x".repeat(64)]) {
      await assert.rejects(make(name, { A: "1" }), fails("invalidArgument", /cannot be a secret's name/));
    }
    await make("A-Z.a_z-0".padEnd(63, "x"), { A: "1" });
    for (const key of ["", "A-B", "1A", "A=B", "A\0"]) {
      await assert.rejects(make("db", { [key]: "canary" }), fails("invalidArgument", /cannot be a secret's key/));
    }
    await assert.rejects(make("db", { A: "can\0ary" }), fails("invalidArgument", /^The value of A holds a NUL[^]*$/));
    await assert.rejects(
      make("db", { A: "x".repeat(131_070) }),
      fails("invalidArgument", /^The value of A is too long/),
    );
    await make("long", { A: "x".repeat(131_069) });
    const many = Object.fromEntries(Array.from({ length: 9 }, (_, n) => [`A${n}`, "x".repeat(130_000)]));
    await assert.rejects(make("db", many), fails("invalidArgument", /too large/));
  });
});

describe("the list of secrets", () => {
  it("has the named ones of its environment, the newest first, page by page, also those of one moment", async () => {
    await using it = await begin();
    for (const name of ["a", "b", "c", "d", "e"]) await it.create(name, { A: "1" }, Type.CREATE_FAIL_IF_EXISTS);
    await it.create("", { A: "1" }, Type.EPHEMERAL);
    const names: string[] = [];
    for (let createdBefore = 0; ;) {
      const { items } = await it.world.asUser(rpc.secretList, { pagination: { maxObjects: 2, createdBefore } });
      names.push(...items.map(({ label }) => label));
      createdBefore = items.at(-1)?.metadata?.creationInfo?.createdAt ?? 0;
      if (items.length < 2) break;
    }
    assert.deepEqual(names, ["e", "d", "c", "b", "a"]);
    assert.deepEqual(await it.names(), names);
    const server = await it.world.server();
    await server.store.write((tx) =>
      tx.identity.putEnvironment({ id: "en-dev", name: "dev", webSuffix: "", createdAt: 0 }),
    );
    await it.create("a", { A: "2" }, Type.CREATE_FAIL_IF_EXISTS, { environmentName: "dev" });
    const dev = await it.world.asUser(rpc.secretList, { environmentName: "dev" });
    assert.deepEqual(
      dev.items.map(({ label, environmentName }) => [label, environmentName]),
      [["a", "dev"]],
    );
    assert.equal((await it.names()).length, 5);
  });
});

describe("a secret without a name", () => {
  it("of an app ends with it, unless another app's function uses it", async () => {
    await using it = await begin();
    const { world } = it;
    const own = await it.create("", { A: "1" }, Type.ANONYMOUS_OWNED_BY_APP, { appId: world.appId });
    const shared = await it.create("", { A: "1" }, Type.ANONYMOUS_OWNED_BY_APP, { appId: world.appId });
    const { appId: other } = await world.asUser(rpc.appCreate, { description: "other" });
    const { imageId } = await world.asUser(rpc.imageGetOrCreate, {
      image: defaultImage,
    });
    const define = (appId: string, secretIds: string[]) =>
      world.asUser(rpc.functionCreate, { appId, function: { functionName: "f", imageId, secretIds } });
    await define(world.appId, [own.secretId, shared.secretId]);
    await define(other, [shared.secretId]);
    const { metadata } = await world.asUser(rpc.secretGetInfo, { secretId: own.secretId });
    assert.deepEqual([metadata?.name, metadata?.keys], ["", ["A"]]);
    await world.asUser(rpc.appStop, { appId: world.appId });
    await assert.rejects(
      world.asUser(rpc.secretGetInfo, { secretId: own.secretId }),
      fails("notFound", /does not exist/),
    );
    await world.asUser(rpc.secretGetInfo, { secretId: shared.secretId });
    const late = it.create("", { A: "1" }, Type.ANONYMOUS_OWNED_BY_APP, { appId: world.appId });
    await assert.rejects(late, fails("failedPrecondition", /has stopped/));
  });

  it("that no function uses is forgotten after a day, and so is the rest of a deleted one", async () => {
    await using it = await begin();
    const { world } = it;
    const used = await it.create("", { A: "1" }, Type.EPHEMERAL);
    const unused = await it.create("", { A: "1" }, Type.EPHEMERAL);
    const waiting = await it.create("", { A: "1" }, Type.ANONYMOUS_OWNED_BY_APP, { appId: world.appId });
    const deleted = await it.create("db", { A: "1" }, Type.CREATE_FAIL_IF_EXISTS);
    await world.define({ secretIds: [used.secretId] });
    await world.asUser(rpc.secretDelete, { secretId: deleted.secretId });
    const server = await world.server();
    const left = async (before: number): Promise<string[]> =>
      await server.store.write(async (tx) => {
        await tx.secrets.forget(before, 100);
        const all = [used, unused, waiting, deleted].map(({ secretId }) => tx.secrets.get(secretId));
        return (await Promise.all(all)).flatMap((each) => (each === undefined ? [] : [each.id]));
      });
    assert.equal((await left(world.clock.now())).length, 4, "not before its time");
    assert.deepEqual(await left(world.clock.now() + 10), [used.secretId, waiting.secretId]);
  });
});
