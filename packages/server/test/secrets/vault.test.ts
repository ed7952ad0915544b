/** The vault: what containers get, what happens without the right key, and rotation, also when it is broken off. */
import assert from "node:assert/strict";
import { readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";

import type { Secret } from "../../src/domain/secret.ts";
import type { Store } from "../../src/domain/store.ts";
import { type ErrorCode, isFail } from "../../src/errors.ts";
import { deleteSecret, getOrCreateSecret, type SecretRequest, updateSecret } from "../../src/secrets/manage.ts";
import { type GivenKeys, KeyRing } from "../../src/secrets/key-ring.ts";
import { identityOf } from "../../src/secrets/known.ts";
import { newMasterKey, writtenKeys } from "../../src/secrets/seal.ts";
import { Vault } from "../../src/secrets/vault.ts";
import { ensureIdentity } from "../../src/identity/first-start.ts";
import { testStore } from "../support/open-store.ts";

const fails =
  (code: ErrorCode, words: RegExp) =>
  (error: unknown): true =>
    (isFail(error, code) && words.test(error.text)) || assert.fail(String(error));

/** A store with an environment, in which secrets are made with the vault that is there at the moment. */
async function scene() {
  const test = await testStore();
  const owner = { id: "ak-1", secretSha256: "" };
  await test.does((tx, context) => ensureIdentity(tx, { workspace: "home", ownerToken: owner }, context));
  const file = join(test.folder, "secrets-key");
  /** As after a restart of the server. */
  const open = async (given?: GivenKeys, store: Store = test.store): Promise<Vault> =>
    new Vault(await KeyRing.load(file, given), store);
  const make = async (vault: Vault, name: string, values: Record<string, string>): Promise<Secret> => {
    await vault.prepare();
    const creation = name === "" ? ("ephemeral" as const) : ("overwrite" as const);
    const rest = { environment: "", appId: "", requiredKeys: [], createdBy: "me" };
    const request: SecretRequest = { creation, name, values, ...rest };
    return await test.does((tx, context) => getOrCreateSecret(tx, vault, request, context));
  };
  const environment = (vault: Vault, ...secrets: Pick<Secret, "id">[]): Promise<Record<string, string>> =>
    test.store.read((tx) =>
      vault.environmentOf(
        tx,
        secrets.map(({ id }) => id),
      ),
    );
  const identity = (...secrets: Pick<Secret, "id">[]): Promise<string> =>
    test.store.read((tx) =>
      identityOf(
        tx,
        secrets.map(({ id }) => id),
      ),
    );
  return { ...test, file, open, make, environment, identity };
}

describe("what a container gets", () => {
  it("is all variables of its secrets, the later ones' where several have one", async () => {
    await using it = await scene();
    const a = await it.make(it.vault, "a", { ONE: "1", TWO: "a" });
    const b = await it.make(it.vault, "", { TWO: "b", THREE: "" });
    assert.deepEqual(await it.environment(it.vault, a, b), { ONE: "1", TWO: "b", THREE: "" });
    assert.deepEqual(await it.environment(it.vault, b, a), { ONE: "1", TWO: "a", THREE: "" });
    assert.deepEqual(await it.environment(it.vault), {});
  });

  it("is refused with the name of a secret that is not there any more", async () => {
    await using it = await scene();
    const a = await it.make(it.vault, "db", { ONE: "1" });
    await it.does((tx) => deleteSecret(tx, a.id));
    await assert.rejects(
      it.environment(it.vault, a),
      fails("notFound", /^Secret "db" was deleted.*modal secret create db/),
    );
    await assert.rejects(it.environment(it.vault, { id: "st-gone" }), fails("notFound", /st-gone does not exist/));
  });
});

describe("the identity of a set of secrets", () => {
  it("is another one for another set, order, or version of a value, and tells nothing", async () => {
    await using it = await scene();
    const a = await it.make(it.vault, "a", { ONE: "1" });
    const b = await it.make(it.vault, "b", { ONE: "1" });
    const seen = [await it.identity(), await it.identity(a), await it.identity(b)];
    seen.push(await it.identity(a, b), await it.identity(b, a));
    await it.does((tx) => updateSecret(tx, it.vault, a.id, new Map([["ONE", "2"]])));
    seen.push(await it.identity(a));
    assert.equal(new Set(seen).size, seen.length);
    for (const each of seen) assert.match(each, /^[0-9a-f]{64}$/);
  });

  it("is the same for two secrets without a name that have the same values", async () => {
    await using it = await scene();
    const [a, b] = [await it.make(it.vault, "", { A: "1" }), await it.make(it.vault, "", { A: "1" })];
    assert.equal(await it.identity(a), await it.identity(b));
    assert.notEqual(await it.identity(a), await it.identity(await it.make(it.vault, "", { A: "2" })));
  });
});

describe("the key file", () => {
  it("is made with the first secret, for its owner alone, and is not in the database", async () => {
    await using it = await scene();
    await assert.rejects(stat(it.file), /ENOENT/);
    await Promise.all([it.vault.prepare(), it.vault.prepare()]);
    await it.make(it.vault, "a", { ONE: "a canary" });
    assert.equal((await stat(it.file)).mode & 0o777, 0o600);
    const key = (await readFile(it.file, "utf8")).trim();
    for (const file of [
      it.file.replace("secrets-key", "store.sqlite"),
      `${it.file.replace("secrets-key", "store.sqlite")}-wal`,
    ]) {
      const bytes = await readFile(file);
      for (const text of [key, Buffer.from(key, "base64"), "a canary"]) assert.equal(bytes.includes(text), false, file);
    }
  });

  it("that is gone is not made anew as long as there are secrets: whoever uses one is told the remedy", async () => {
    await using it = await scene();
    const a = await it.make(it.vault, "a", { ONE: "1" });
    const kept = await readFile(it.file);
    await rm(it.file);
    const without = await it.open();
    const words = /the key is missing \(.*secrets-key\).*put the key back.*rotate-key/;
    await assert.rejects(it.environment(without, a), fails("failedPrecondition", words));
    await assert.rejects(it.make(without, "b", { ONE: "1" }), fails("failedPrecondition", words));
    await assert.rejects(stat(it.file), /ENOENT/);
    await writeFile(it.file, kept);
    assert.deepEqual(await it.environment(await it.open(), a), { ONE: "1" });
  });

  it("of another platform is told of, and so is one that is none", async () => {
    await using it = await scene();
    const a = await it.make(it.vault, "a", { ONE: "1" });
    await writeFile(it.file, writtenKeys([newMasterKey()]));
    const other = fails("failedPrecondition", /"a" cannot be decrypted: it was encrypted with a key that is not there/);
    await assert.rejects(it.environment(await it.open(), a), other);
    await writeFile(it.file, "no key");
    const vault = await it.open();
    const none = fails(
      "failedPrecondition",
      /secrets-key holds something that is no key.*openssl rand -base64 32.*start the platform again/,
    );
    await assert.rejects(it.environment(vault, a), none);
    await assert.rejects(it.make(vault, "b", {}), none);
    await assert.rejects(vault.rotate(), none);
  });

  it("that is lost for good is replaced by a rotation; what it opened is named, and can be made anew", async () => {
    await using it = await scene();
    const a = await it.make(it.vault, "a", { ONE: "1" });
    await rm(it.file);
    const vault = await it.open();
    assert.deepEqual((await vault.rotate()).unreadable, [a.id]);
    await it.make(vault, "b", { TWO: "2" });
    await it.make(vault, "a", { ONE: "anew" });
    assert.deepEqual(await it.environment(await it.open(), a), { ONE: "anew" });
  });
});

describe("a rotation of the key", () => {
  it("puts all secrets under a new key and forgets the old one; no identity of a named one changes", async () => {
    await using it = await scene();
    const secrets: Secret[] = [];
    for (let n = 0; n < 250; n++)
      secrets.push(await it.make(it.vault, n % 2 === 0 ? `s${n}` : "", { [`K${n}`]: `${n}` }));
    const [first] = secrets;
    assert.ok(first);
    const identity = await it.identity(first);
    const [old] = (await readFile(it.file, "utf8")).split("\n");
    const [rotation, same] = await Promise.all([it.vault.rotate(), it.vault.rotate()]);
    assert.deepEqual(rotation, same, "two at a time are one");
    assert.deepEqual([rotation.secrets, rotation.unreadable], [250, []]);
    const now = await readFile(it.file, "utf8");
    assert.equal(now.trim().split("\n").length, 1);
    assert.equal(now.includes(String(old)), false);
    const expected = Object.fromEntries(secrets.map((_, n) => [`K${n}`, `${n}`]));
    assert.deepEqual(await it.environment(it.vault, ...secrets), expected);
    assert.deepEqual(await it.environment(await it.open(), ...secrets), expected);
    assert.equal(await it.identity(first), identity);
  });

  it("that breaks off at any write leaves all readable with the keys that are there, and the next one ends it", async () => {
    for (let survived = 0; survived < 4; survived++) {
      await using it = await scene();
      const secrets: Secret[] = [];
      for (let n = 0; n < 210; n++) secrets.push(await it.make(it.vault, `s${n}`, { [`K${n}`]: `${n}` }));
      const expected = Object.fromEntries(secrets.map((_, n) => [`K${n}`, `${n}`]));
      let writes = 0;
      const dying: Store = {
        ...it.store,
        write: (unit) => (writes++ < survived ? it.store.write(unit) : Promise.reject(new Error("killed"))),
      };
      const broken = (await it.open(undefined, dying)).rotate();
      if (survived < 3) await assert.rejects(broken, /killed/);
      else await broken;
      const keys = (await readFile(it.file, "utf8")).trim().split("\n").length;
      assert.equal(keys, survived < 3 ? 2 : 1);
      const next = await it.open();
      assert.deepEqual(await it.environment(next, ...secrets), expected);
      await next.rotate();
      assert.equal((await readFile(it.file, "utf8")).trim().split("\n").length, 1);
      assert.deepEqual(await it.environment(await it.open(), ...secrets), expected);
    }
  });

  it("to keys that the operator gives leaves the file alone, and the old key is needed no more", async () => {
    await using it = await scene();
    const a = await it.make(it.vault, "a", { ONE: "1" });
    const file = await readFile(it.file, "utf8");
    const given: GivenKeys = { text: writtenKeys([newMasterKey()]), from: "LYDIAN_SECRETS_KEY" };
    const vault = await it.open(given);
    assert.deepEqual(await it.environment(vault, a), { ONE: "1" }, "the file's key still opens");
    assert.equal((await vault.rotate()).secrets, 1);
    assert.equal(await readFile(it.file, "utf8"), file);
    await rm(it.file);
    assert.deepEqual(await it.environment(await it.open(given), a), { ONE: "1" });
    const words = /it was encrypted with a key that is not there \(LYDIAN_SECRETS_KEY\)/;
    const wrong = await it.open({ ...given, text: writtenKeys([newMasterKey()]) });
    await assert.rejects(it.environment(wrong, a), fails("failedPrecondition", words));
  });
});
