/** The first start, environments by name, and tokens. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";

import { silentLogger } from "@lydian/kit";

import { createApp } from "../../src/apps/create.ts";
import { deleteEnvironment } from "../../src/identity/delete-environment.ts";
import { createEnvironment, findEnvironment, updateEnvironment } from "../../src/identity/environments.ts";
import { ensureIdentity } from "../../src/identity/first-start.ts";
import { enterCode, requestToken, takeToken } from "../../src/identity/token-requests.ts";
import { createToken, knownToken, Tokens } from "../../src/identity/tokens.ts";
import { isFail } from "../../src/errors.ts";
import { getOrCreateObject } from "../../src/objects/manage.ts";
import { Sweeper } from "../../src/sweeps/sweeper.ts";
import { getOrCreateVolume } from "../../src/volumes/manage.ts";
import { type TestStore, testStore } from "../support/open-store.ts";

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

const begin = (test: TestStore, workspace = "home", secret = "as-1"): Promise<void> =>
  test.does((tx, context) =>
    ensureIdentity(tx, { workspace, ownerToken: { id: "ak-1", secretSha256: sha256(secret) } }, context),
  );

test("every start leaves one workspace, the environment `main` and the owner's present token", async () => {
  await using it = await testStore();
  await begin(it);
  const look = () => it.store.read(async (tx) => [await tx.identity.workspace(), await tx.identity.environments()]);
  const first = await look();
  await begin(it);
  assert.deepEqual(await look(), first);
  await begin(it, "renamed", "as-2");
  const [workspace] = await look();
  assert.equal((workspace as { name: string }).name, "renamed");
  assert.equal((await it.store.read((tx) => tx.identity.token("ak-1")))?.secretSha256, sha256("as-2"));
});

test("an environment is found by its name, the default by none, and others are named when it is not", async () => {
  await using it = await testStore();
  await begin(it);
  await it.does((tx) => tx.identity.putEnvironment({ id: "en-2", name: "staging", webSuffix: "", createdAt: 0 }));
  const find = (name: string) => it.store.read((tx) => findEnvironment(tx, name));
  assert.equal((await find("")).name, "main");
  assert.equal((await find("staging")).id, "en-2");
  await assert.rejects(find("Main"), (error) => isFail(error, "notFound") && /main, staging/.test(error.text));
});

test("a token is its own secret's and no other's", async () => {
  await using it = await testStore();
  await begin(it);
  const tokens = new Tokens(it.store, it.clock);
  for (let i = 0; i < 2; i++) {
    assert.equal(await tokens.authenticate("ak-1", "as-1"), true);
    assert.equal(await tokens.authenticate("ak-1", "as-2"), false);
    assert.equal(await tokens.authenticate("ak-2", "as-1"), false);
    assert.equal(await tokens.authenticate("ak-1", ""), false);
    assert.equal(await tokens.authenticate("ak-1", sha256("as-1")), false);
  }
});

test("a token ends at its time, when it is disabled, and when it is taken away", async () => {
  await using it = await testStore();
  await begin(it);
  const tokens = new Tokens(it.store, it.clock);
  const { token, secret } = await it.does((tx, context) => createToken(tx, { name: "CI", lifetime: 1_000 }, context));
  const opens = (): Promise<boolean> => tokens.authenticate(token.id, secret);
  assert.equal(await opens(), true);
  await it.does((tx) => tx.identity.putToken({ ...token, isDisabled: true }));
  tokens.forget(token.id);
  assert.equal(await opens(), false);
  await it.does((tx) => tx.identity.putToken(token));
  assert.equal(await opens(), true);
  await it.clock.advance(1_000);
  assert.equal(await opens(), false);
  assert.equal((await it.does((tx) => knownToken(tx, "CI"))).id, token.id);
  await it.does((tx) => tx.identity.removeToken(token.id));
  await assert.rejects(
    it.does((tx) => knownToken(tx, "CI")),
    (error) => isFail(error, "notFound"),
  );
});

test("a request for a token is granted by its code alone, in five tries and ten minutes, and fetched once by who made it", async () => {
  await using it = await testStore();
  await begin(it);
  const ask = () => it.does((tx, context) => requestToken(tx, undefined, context));
  const enter = (id: string, code: string) =>
    it.does((tx, context) => enterCode(tx, id, { code, name: "laptop" }, context));
  const take = (id: string, waitSecret: string) => it.does((tx, context) => takeToken(tx, { id, waitSecret }, context));

  const { request, waitSecret } = await ask();
  assert.equal(await enter(request.id, "AAAA-AAAA"), "wrong");
  assert.equal(await take(request.id, waitSecret), undefined);
  assert.equal(await enter(request.id, ` ${request.code.toLowerCase().replace("-", " ")} `), "granted");
  await assert.rejects(take(request.id, "another"), (error) => isFail(error, "notFound"));
  const taken = await take(request.id, waitSecret);
  assert.equal(await new Tokens(it.store, it.clock).authenticate(taken?.tokenId ?? "", taken?.secret ?? ""), true);
  await assert.rejects(take(request.id, waitSecret), (error) => isFail(error, "notFound"));

  const { request: guessed } = await ask();
  for (let n = 0; n < 5; n++) assert.equal(await enter(guessed.id, "AAAA-AAAA"), "wrong");
  assert.equal(await enter(guessed.id, guessed.code), "over");
  const { request: late } = await ask();
  await it.clock.advance(600_000);
  assert.equal(await enter(late.id, late.code), "over");
  for (let n = 0; n < 20; n++) await ask();
  await assert.rejects(ask(), (error) => isFail(error, "resourceExhausted"));
});

test("environments have names and web suffixes of their own, and one of them is the default", async () => {
  await using it = await testStore();
  await begin(it);
  const make = (name: string) => it.does((tx, context) => createEnvironment(tx, name, context));
  const change = (current: string, changes: { name?: string; webSuffix?: string }) =>
    it.does((tx) => updateEnvironment(tx, current, { name: undefined, webSuffix: undefined, ...changes }));
  assert.equal((await make("Dev_1")).webSuffix, "dev-1");
  assert.match((await make("dev-1")).webSuffix, /^dev-1-[a-z0-9]+$/, "host names differ");
  await assert.rejects(make("dev-1"), (error) => isFail(error, "alreadyExists"));
  for (const bad of ["", "a b", "-x", "en-1", "x".repeat(64), "a/b"]) {
    await assert.rejects(make(bad), (error) => isFail(error, "invalidArgument"), bad);
  }
  assert.equal(
    (await change("Dev_1", { name: "prod", webSuffix: "p" })).id,
    (await it.does((tx) => findEnvironment(tx, "prod"))).id,
  );
  await assert.rejects(
    change("prod", { webSuffix: "" }),
    (error) => isFail(error, "alreadyExists") && /"main"/.test(error.text),
  );
  await assert.rejects(change("prod", { webSuffix: "A.b" }), (error) => isFail(error, "invalidArgument"));
  const remove = (name: string) => it.does((tx, context) => deleteEnvironment(tx, name, context));
  await assert.rejects(remove("main"), (error) => isFail(error, "failedPrecondition") && /default/.test(error.text));
  await remove("prod");
  await assert.rejects(
    it.does((tx) => findEnvironment(tx, "prod")),
    (error) => isFail(error, "notFound"),
  );
  await make("prod");
});

test("an environment with much in it is gone at once, and what was in it goes by and by, after a restart too", async () => {
  await using it = await testStore();
  await begin(it);
  const count = 450;
  const id = await it.does(async (tx, context) => {
    const environment = await createEnvironment(tx, "crowded", context);
    const where = { environment: "crowded", createdBy: "" };
    for (let n = 0; n < count; n++) {
      await getOrCreateVolume(tx, { ...where, creation: "ifMissing", name: `v${n}`, version: 1 }, context);
      await getOrCreateObject(tx, { ...where, kind: "dict", creation: "ifMissing", name: `d${n}` }, context);
    }
    for (let n = 0; n < 15; n++) await createApp(tx, { ...where, name: `a${n}`, state: "detached", tags: {} }, context);
    return environment.id;
  });
  const left = () =>
    it.store.read(async (tx) => [
      (await tx.apps.inStates(["detached"])).length,
      (await tx.volumes.newest(id, Number.MAX_SAFE_INTEGER, 1_000)).length,
      (await tx.objects.newest("dict", id, Number.MAX_SAFE_INTEGER, 1_000)).length,
    ]);
  await it.does((tx, context) => deleteEnvironment(tx, "crowded", context));
  await assert.rejects(it.store.read((tx) => findEnvironment(tx, "crowded")));
  assert.deepEqual(await left(), [5, count, count]);
  const units: number[] = [];
  let before = (await left()).reduce((sum, each) => sum + each, 0);
  const note: TestStore["store"]["note"] = async (unit) => {
    const value = await it.store.note(unit);
    const now = (await left()).reduce((sum, each) => sum + each, 0);
    units.push(before - now);
    before = now;
    return value;
  };
  for (let lives = 0; lives < 3; lives++) {
    const sweeper = new Sweeper({ ...it, store: { ...it.store, note }, log: silentLogger });
    sweeper.start();
    await it.clock.settle();
    await it.clock.advance(lives);
    await sweeper.close();
  }
  assert.deepEqual(await left(), [0, 0, 0]);
  assert.ok(Math.max(...units) <= 200, `${Math.max(...units)} in one unit`);
  assert.equal(await it.store.read((tx) => tx.sweeps.first()), undefined);
});
