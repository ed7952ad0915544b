import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import { ContentStore } from "../../src/content/content-store.ts";
import { sha256FromBase64, sha256Of } from "../../src/content/digest.ts";
import { isFail } from "../../src/errors.ts";
import { temporaryFolder } from "../ingress/rig.ts";

const digestOf = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
}

async function* pieces(bytes: Buffer, length: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

test("content is stored once, by its digest, and read whole or in part", async () => {
  await using folder = await temporaryFolder();
  const store = await ContentStore.open(folder.path);
  const bytes = randomBytes(3_000_001);
  const sha256 = digestOf(bytes);
  assert.deepEqual(await store.missing([sha256, sha256]), [sha256]);
  assert.deepEqual(await store.put(pieces(bytes, 7777), { expectedSha256: sha256 }), {
    sha256,
    size: bytes.length,
    existed: false,
  });
  const again = await store.put(bytes, { expectedSha256: sha256, md5: true });
  assert.deepEqual([again.existed, again.md5], [true, createHash("md5").update(bytes).digest("hex")]);
  assert.deepEqual(await store.put(bytes), { sha256, size: bytes.length, existed: false });
  assert.deepEqual(await filesBelow(folder.path), [sha256]);
  assert.deepEqual(await store.missing([sha256]), []);
  assert.equal(await store.size(sha256), bytes.length);
  assert.ok((await store.read(sha256)).equals(bytes));
  {
    await using content = await store.open(sha256);
    const chunks: Buffer[] = [];
    for await (const chunk of content?.stream({ start: 10, end: 500_000 }) ?? []) chunks.push(chunk as Buffer);
    assert.ok(Buffer.concat(chunks).equals(bytes.subarray(10, 500_001)));
  }
  await store.remove(sha256);
  await store.remove(sha256);
  assert.equal(await store.size(sha256), undefined);
  assert.equal(await store.open(sha256), undefined);
  await assert.rejects(store.read(sha256), (error) => isFail(error, "notFound"));
});

test("a body that is not what was announced is refused and leaves nothing", async () => {
  await using folder = await temporaryFolder();
  const store = await ContentStore.open(folder.path);
  const [bytes, other] = [randomBytes(5000), randomBytes(5000)];
  const expectedSha256 = digestOf(bytes);
  const refused = (error: unknown) => isFail(error, "invalidArgument");
  await assert.rejects(store.put(other, { expectedSha256 }), refused);
  await assert.rejects(store.put(bytes, { expectedSha256, expectedSize: 4999 }), refused);
  await assert.rejects(store.put(bytes, { expectedSha256, expectedSize: 5001 }), refused);
  await assert.rejects(store.put(pieces(bytes, 10), { mostBytes: 100 }), refused);
  const failing = async function* () {
    yield bytes;
    throw new Error("connection lost");
  };
  await assert.rejects(store.put(failing()), /connection lost/);
  assert.deepEqual(await filesBelow(folder.path), []);
  await store.put(bytes, { expectedSha256 });
  await assert.rejects(store.put(other, { expectedSha256 }), refused);
  assert.ok((await store.read(expectedSha256)).equals(bytes));
});

test("the same content put many times at once is stored once", async () => {
  await using folder = await temporaryFolder();
  const store = await ContentStore.open(folder.path);
  const bytes = randomBytes(200_000);
  const results = await Promise.all(
    Array.from({ length: 20 }, () => store.put(pieces(bytes, 9000), { expectedSha256: digestOf(bytes) })),
  );
  assert.equal(new Set(results.map((result) => result.sha256)).size, 1);
  assert.deepEqual(await filesBelow(folder.path), [digestOf(bytes)]);
  const empty = await store.put(new Uint8Array(0));
  assert.equal((await store.read(empty.sha256)).length, 0);
});

test("leftovers of an earlier process are removed at the start, content is not", async () => {
  await using folder = await temporaryFolder();
  const first = await ContentStore.open(folder.path);
  const { sha256 } = await first.put(Buffer.from("kept"));
  await writeFile(first.newTemporary(), "half");
  const second = await ContentStore.open(folder.path);
  assert.deepEqual(await readdir(join(folder.path, "tmp")), []);
  assert.equal((await second.read(sha256)).toString(), "kept");
});

test("only digests become paths", async () => {
  await using folder = await temporaryFolder();
  const store = await ContentStore.open(folder.path);
  for (const name of [
    "",
    "..",
    "../../etc/passwd",
    "A".repeat(64),
    `${"a".repeat(63)}/`,
    `${"a".repeat(64)}\n`,
    "a".repeat(65),
  ]) {
    assert.throws(
      () => sha256Of(name),
      (error) => isFail(error, "invalidArgument"),
    );
    await assert.rejects(store.size(name), (error) => isFail(error, "invalidArgument"));
    await assert.rejects(store.open(name), (error) => isFail(error, "invalidArgument"));
    await assert.rejects(store.remove(name), (error) => isFail(error, "invalidArgument"));
    await assert.rejects(store.missing([name]), (error) => isFail(error, "invalidArgument"));
  }
  assert.equal(sha256FromBase64(Buffer.from("ab".repeat(32), "hex").toString("base64")), "ab".repeat(32));
  assert.throws(
    () => sha256FromBase64("AAAA"),
    (error) => isFail(error, "invalidArgument"),
  );
});
