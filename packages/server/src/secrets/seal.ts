/**
 * AES-256-GCM over a secret's values. Each version of each secret has a key of its own, derived from the master key, so
 * that no nonce can meet another one. What the row says in the clear is authenticated with it: a row that is changed, or
 * given another one's values, does not open.
 */
import { createCipheriv, createDecipheriv, createHash, createHmac, hkdfSync, randomBytes } from "node:crypto";

import { PlatformError } from "@lydian/kit";

import type { Secret, SecretFacts } from "../domain/secret.ts";

export interface MasterKey {
  /** What it is called by in rows and messages: a hash, from which nobody gets back to the key. */
  readonly id: string;
  readonly bytes: Uint8Array;
}

export type Values = Readonly<Record<string, string>>;

const algorithm = "aes-256-gcm";
const keyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;

/** Keys separated by white space or commas, each 32 bytes in base64 or hexadecimal; `from` names their source in errors. */
export function parseKeys(text: string, from: string): MasterKey[] {
  const keys = text.split(/[\s,]+/).filter((word) => word !== "");
  return keys.map((word) => {
    const bytes = Buffer.from(word, /^[0-9a-f]{64}$/i.test(word) ? "hex" : "base64");
    if (/^[\w+/-]+=?$/.test(word) && bytes.length === keyBytes) return masterKey(bytes);
    throw new PlatformError(`${from} holds something that is no key`, {
      hint: "a key is 32 random bytes in base64, such as `openssl rand -base64 32` prints",
    });
  });
}

export function newMasterKey(): MasterKey {
  return masterKey(randomBytes(keyBytes));
}

function masterKey(bytes: Uint8Array): MasterKey {
  return { id: createHash("sha256").update("lydian secrets key\0").update(bytes).digest("hex").slice(0, 12), bytes };
}

export const writtenKeys = (keys: readonly MasterKey[]): string =>
  keys.map(({ bytes }) => `${Buffer.from(bytes).toString("base64")}\n`).join("");

export function seal(key: MasterKey, facts: SecretFacts, values: Values): Secret {
  const secret = { ...facts, keys: Object.keys(values).toSorted(), keyId: key.id };
  const plain = Buffer.from(JSON.stringify(values));
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv(algorithm, rowKey(key, facts), nonce).setAAD(bound(secret));
  const sealed = Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  const fingerprint = facts.state === "anonymous" ? fingerprintOf(key, values) : "";
  return { ...secret, sealed, fingerprint };
}

/** Undefined when this is not what was sealed with this key for this row. */
export function unseal(key: MasterKey, secret: Secret): Values | undefined {
  const bytes = Buffer.from(secret.sealed);
  const end = bytes.length - tagBytes;
  if (end < nonceBytes) return undefined;
  const nonce = bytes.subarray(0, nonceBytes);
  const decipher = createDecipheriv(algorithm, rowKey(key, secret), nonce, { authTagLength: tagBytes });
  decipher.setAAD(bound(secret)).setAuthTag(bytes.subarray(end));
  try {
    const plain = Buffer.concat([decipher.update(bytes.subarray(nonceBytes, end)), decipher.final()]);
    return JSON.parse(plain.toString()) as Values;
  } catch {
    return undefined; // not even the cause is told: it could quote what was decrypted
  }
}

function rowKey(key: MasterKey, { id, version }: SecretFacts): Buffer {
  return Buffer.from(hkdfSync("sha256", key.bytes, "", `lydian secret\0${id}\0${version}`, keyBytes));
}

/** What the values belong to. */
function bound({ id, version, environmentId, name, keys, keyId }: Omit<Secret, "sealed" | "fingerprint">): Buffer {
  return Buffer.from(JSON.stringify([id, version, environmentId, name, keys, keyId]));
}

function fingerprintOf(key: MasterKey, values: Values): string {
  const own = Buffer.from(hkdfSync("sha256", key.bytes, "", "lydian secrets fingerprint", keyBytes));
  const entries = Object.entries(values).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return createHmac("sha256", own).update(JSON.stringify(entries)).digest("hex");
}
