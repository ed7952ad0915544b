/** The first start, environments by name, and tokens. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";

import { findEnvironment } from "../../src/identity/environments.ts";
import { ensureIdentity } from "../../src/identity/first-start.ts";
import { Tokens } from "../../src/identity/tokens.ts";
import { isFail } from "../../src/errors.ts";
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
  await it.does((tx) => tx.identity.putEnvironment({ id: "en-2", name: "staging" }));
  const find = (name: string) => it.store.read((tx) => findEnvironment(tx, name));
  assert.equal((await find("")).name, "main");
  assert.equal((await find("staging")).id, "en-2");
  await assert.rejects(find("Main"), (error) => isFail(error, "notFound") && /main, staging/.test(error.text));
});

test("a token is its own secret's and no other's", async () => {
  await using it = await testStore();
  await begin(it);
  const tokens = new Tokens(it.store);
  for (let i = 0; i < 2; i++) {
    assert.equal(await tokens.authenticate("ak-1", "as-1"), true);
    assert.equal(await tokens.authenticate("ak-1", "as-2"), false);
    assert.equal(await tokens.authenticate("ak-2", "as-1"), false);
    assert.equal(await tokens.authenticate("ak-1", ""), false);
    assert.equal(await tokens.authenticate("ak-1", sha256("as-1")), false);
  }
});
