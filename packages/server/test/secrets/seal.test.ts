/** What is sealed opens with its key, for its row, as it was; and shows nothing. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import type { SecretFacts } from "../../src/domain/secret.ts";
import { newMasterKey, parseKeys, seal, unseal, writtenKeys } from "../../src/secrets/seal.ts";

const facts: SecretFacts = {
  id: "st-1",
  environmentId: "en-1",
  state: "named",
  name: "db",
  appId: undefined,
  version: 1,
  createdAt: 1,
  createdBy: "me",
  lastUsedAt: undefined,
};
const values = { PASSWORD: "a canary", EMPTY: "", ÜNICODE: "grüße\n" };

describe("a sealed secret", () => {
  const key = newMasterKey();
  const secret = seal(key, facts, values);

  it("opens with its key", () => {
    assert.deepEqual(unseal(key, secret), values);
    assert.deepEqual(secret.keys, ["EMPTY", "PASSWORD", "ÜNICODE"]);
  });

  it("shows none of its values, and is another one each time", () => {
    assert.equal(Buffer.from(secret.sealed).includes("canary"), false);
    assert.notDeepEqual(seal(key, facts, values).sealed, secret.sealed);
  });

  it("opens with no other key", () => {
    assert.equal(unseal(newMasterKey(), secret), undefined);
  });

  it("opens in no other row, and in none that was changed", () => {
    const changes = [
      { id: "st-2" as const },
      { version: 2 },
      { environmentId: "en-2" as const },
      { name: "other" },
      { keys: ["PASSWORD"] },
      { keyId: "other" },
      { sealed: secret.sealed.subarray(1) },
      { sealed: secret.sealed.subarray(0, -1) },
      { sealed: new Uint8Array() },
    ];
    for (const change of changes)
      assert.equal(unseal(key, { ...secret, ...change }), undefined, JSON.stringify(change));
    for (const at of [0, 12, secret.sealed.length - 1]) {
      const sealed = secret.sealed.map((byte, index) => (index === at ? byte ^ 1 : byte));
      assert.equal(unseal(key, { ...secret, sealed }), undefined, `byte ${at}`);
    }
  });

  it("without a name has a fingerprint by its values and key alone", () => {
    const print = (id: `st-${string}`, of: Record<string, string>, by = key): string =>
      seal(by, { ...facts, id, state: "anonymous", name: "" }, of).fingerprint;
    assert.equal(print("st-1", { A: "1", B: "2" }), print("st-2", { B: "2", A: "1" }));
    assert.notEqual(print("st-1", { A: "1" }), print("st-1", { A: "2" }));
    assert.notEqual(print("st-1", { A: "1" }), print("st-1", { A: "1" }, newMasterKey()));
    assert.equal(secret.fingerprint, "");
  });
});

describe("keys", () => {
  it("are read as they are written, and in hexadecimal, separated by lines, blanks or commas", () => {
    const [a, b] = [newMasterKey(), newMasterKey()];
    assert.deepEqual(parseKeys(writtenKeys([a, b]), "here"), [a, b]);
    const hex = Buffer.from(b.bytes).toString("hex");
    const url = Buffer.from(a.bytes).toString("base64url");
    assert.deepEqual(parseKeys(` ${url},${hex} `, "here"), [a, b]);
    assert.deepEqual(parseKeys("\n", "here"), []);
  });

  it("that are none are refused without being quoted", () => {
    for (const text of ["password", "a".repeat(63), "AAAA", Buffer.alloc(31).toString("base64"), "!".repeat(44)]) {
      assert.throws(
        () => parseKeys(text, "LYDIAN_SECRETS_KEY"),
        (error) => error instanceof Error && /LYDIAN_SECRETS_KEY/.test(error.message) && !error.message.includes(text),
      );
    }
  });
});
