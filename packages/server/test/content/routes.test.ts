/** Blobs and content over HTTP, in the clients' way of speaking. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { mkdir, readdir, utimes } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import { BlobLinks, type BlobUpload } from "../../src/content/blob-links.ts";
import { BlobUploads } from "../../src/content/blob-uploads.ts";
import { ContentStore } from "../../src/content/content-store.ts";
import { sha256Of } from "../../src/content/digest.ts";
import { contentRoutes } from "../../src/content/routes.ts";
import { identityOf } from "../../src/ingress/identity.ts";
import { rawConnection, startDoor, startRig, temporaryFolder } from "../ingress/rig.ts";

const hash = (name: "md5" | "sha256", bytes: Uint8Array) => createHash(name).update(bytes).digest("hex");

async function start(stored: (blob: BlobUpload) => Promise<void> = async () => {}) {
  const folder = await temporaryFolder();
  const store = await ContentStore.open(join(folder.path, "content"));
  const links = new BlobLinks(randomBytes(32), Date.now, { largestSingle: 1_500_000, usual: 1_000_000 });
  const blobs: BlobUpload[] = [];
  const uploads = new BlobUploads({
    store,
    folder: join(folder.path, "parts"),
    stored: async (blob) => {
      await stored(blob);
      blobs.push(blob);
    },
  });
  const isWorker = (socket: Parameters<typeof identityOf>[0]) => identityOf(socket)?.kind === "worker";
  const rig = await startRig({
    routes: [contentRoutes({ store, links, uploads, isWorker })],
    port: { resolveDoor: (secret) => ({ kind: secret === "w" ? "worker" : "container", id: "x-1" }) },
  });
  return {
    store,
    links,
    uploads,
    blobs,
    rig,
    folder: folder.path,
    async [Symbol.asyncDispose]() {
      await rig[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

const put = (url: string, body: Uint8Array, headers: Record<string, string> = {}) =>
  fetch(url, { method: "PUT", body: Buffer.from(body), headers });
const post = (url: string, etags: readonly string[]) =>
  fetch(url, {
    method: "POST",
    body: `<CompleteMultipartUpload>\n${etags.map((etag, i) => `<Part>\n<PartNumber>${i + 1}</PartNumber>\n<ETag>"${etag}"</ETag>\n</Part>`).join("\n")}\n</CompleteMultipartUpload>`,
  });

function declare(bytes: Uint8Array, blobId = "bl-1"): BlobUpload {
  return { blobId, sha256: sha256Of(hash("sha256", bytes)), size: bytes.length };
}

test("a blob of one part, as Python sends it", async () => {
  await using at = await start();
  const bytes = randomBytes(1_400_000);
  const blob = declare(bytes);
  const { partLength, uploadUrls, completionUrl } = at.links.uploadInParts(at.rig.url, blob, 60_000);
  assert.deepEqual([partLength, uploadUrls.length], [bytes.length, 1]);
  const reply = await put(uploadUrls[0] ?? "", bytes);
  assert.deepEqual([reply.status, reply.headers.get("etag")], [200, `"${hash("md5", bytes)}"`]);
  assert.deepEqual(at.blobs, []);
  const expected = `${hash("md5", Buffer.from(hash("md5", bytes), "hex"))}-1`;
  for (const time of ["first", "repeated"]) {
    const done = await post(completionUrl, [hash("md5", bytes)]);
    assert.equal(done.status, 200, time);
    assert.match(await done.text(), new RegExp(expected));
  }
  assert.deepEqual(at.blobs[0], blob);
  assert.deepEqual(await readdir(join(at.folder, "parts")), []);

  const url = at.links.download(at.rig.url, blob, 60_000);
  const whole = await fetch(url);
  assert.deepEqual([whole.status, whole.headers.get("content-length")], [200, String(bytes.length)]);
  assert.ok(Buffer.from(await whole.arrayBuffer()).equals(bytes));
  const part = await fetch(url, { headers: { range: "bytes=10-19" } });
  assert.deepEqual([part.status, part.headers.get("content-range")], [206, `bytes 10-19/${bytes.length}`]);
  assert.ok(Buffer.from(await part.arrayBuffer()).equals(bytes.subarray(10, 20)));
  assert.equal((await fetch(url, { headers: { range: `bytes=${bytes.length}-` } })).status, 416);
});

test("a blob of several parts, in any order, one of them twice", async () => {
  await using at = await start();
  const bytes = randomBytes(2_500_000);
  const blob = declare(bytes);
  const { partLength, uploadUrls, completionUrl } = at.links.uploadInParts(at.rig.url, blob, 60_000);
  assert.deepEqual([partLength, uploadUrls.length], [1_000_000, 3]);
  const partOf = (i: number) => bytes.subarray(i * partLength, (i + 1) * partLength);
  const wrong = randomBytes(partLength);
  const short = await put(uploadUrls[1] ?? "", bytes.subarray(0, 10));
  assert.deepEqual([short.status, await short.text()], [400, "Part 2 has 10 bytes instead of 1000000.\n"]);
  await put(uploadUrls[0] ?? "", wrong);
  await Promise.all([2, 0, 1].map((i) => put(uploadUrls[i] ?? "", partOf(i))));
  const etags = [0, 1, 2].map((i) => hash("md5", partOf(i)));
  assert.equal((await post(completionUrl, [hash("md5", wrong), ...etags.slice(1)])).status, 400);
  assert.equal((await post(completionUrl, etags.slice(0, 2))).status, 400);
  const done = await Promise.all([post(completionUrl, etags), post(completionUrl, etags)]);
  assert.deepEqual(
    done.map((reply) => reply.status),
    [200, 200],
  );
  assert.match(await done[0].text(), new RegExp(`${hash("md5", Buffer.from(etags.join(""), "hex"))}-3`));
  assert.ok((await at.store.read(blob.sha256)).equals(bytes));
  assert.deepEqual(
    [await readdir(join(at.folder, "parts")), await readdir(join(at.folder, "content", "tmp"))],
    [[], []],
  );
});

test("an empty blob", async () => {
  await using at = await start();
  const blob = declare(Buffer.alloc(0));
  const { uploadUrls, completionUrl } = at.links.uploadInParts(at.rig.url, blob, 60_000);
  const etag = (await put(uploadUrls[0] ?? "", Buffer.alloc(0))).headers.get("etag") ?? "";
  assert.equal((await post(completionUrl, [etag.replaceAll('"', "")])).status, 200);
  const reply = await fetch(at.links.download(at.rig.url, blob, 60_000));
  assert.deepEqual([reply.status, (await reply.arrayBuffer()).byteLength], [200, 0]);
});

test("a blob in one PUT, as JavaScript sends it", async () => {
  await using at = await start();
  const bytes = randomBytes(100_000);
  const url = at.links.upload(at.rig.url, declare(bytes), 60_000);
  const md5 = Buffer.from(hash("md5", bytes), "hex").toString("base64");
  const reply = await put(url, bytes, { "content-type": "application/octet-stream", "content-md5": md5 });
  assert.deepEqual([reply.status, reply.headers.get("etag"), await reply.text()], [200, `"${hash("md5", bytes)}"`, ""]);
  assert.deepEqual(at.blobs, [declare(bytes)]);
  const wrong = await put(url, bytes, { "content-md5": Buffer.alloc(16).toString("base64") });
  assert.match(await wrong.text(), /^The Content-MD5 you specified did not match what we received\./);
});

test("what is not as announced is refused, and nothing is recorded", async () => {
  await using at = await start();
  const [bytes, other] = [randomBytes(1000), randomBytes(1000)];
  const blob = declare(bytes);
  const { uploadUrls, completionUrl } = at.links.uploadInParts(at.rig.url, blob, 60_000);
  const [url = ""] = uploadUrls;
  assert.equal((await put(url, randomBytes(999))).status, 400);
  assert.equal((await put(url, randomBytes(1001))).status, 400);
  assert.equal((await put(at.links.upload(at.rig.url, blob, 60_000), other)).status, 400);
  assert.match(await (await post(completionUrl, [hash("md5", bytes)])).text(), /^Part 1 of 1 .*was not uploaded/);
  await put(url, other);
  const mismatch = await post(completionUrl, [hash("md5", other)]);
  assert.deepEqual([mismatch.status, /SHA-256/.test(await mismatch.text())], [400, true]);
  assert.equal((await post(completionUrl, [])).status, 400);
  assert.equal((await fetch(completionUrl, { method: "POST", body: "nonsense" })).status, 400);
  assert.deepEqual([at.blobs, await at.store.size(blob.sha256)], [[], undefined]);
  // Sent again, rightly, it is accepted.
  await put(url, bytes);
  assert.equal((await post(completionUrl, [hash("md5", bytes)])).status, 200);
});

test("links that are false, foreign or old", async () => {
  await using at = await start();
  const blob = declare(randomBytes(10));
  const url = at.links.upload(at.rig.url, blob, 60_000);
  const statusOf = async (target: string, method = "PUT") =>
    (await fetch(target, { method, ...(method === "PUT" && { body: "x" }) })).status;
  assert.equal(await statusOf(url.replace("size=10", "size=1")), 403);
  assert.equal(await statusOf(`${at.rig.url}/blobs/bl-1`), 403);
  assert.equal(await statusOf(`${at.rig.url}/blobs/..%2f..%2fx?sig=1`), 403);
  assert.equal(await statusOf(url, "GET"), 403);
  assert.equal(await statusOf(at.links.upload(at.rig.url, blob, -1)), 410);
  assert.equal(await statusOf(at.links.download(at.rig.url, blob, 60_000), "GET"), 404);
});

test("an upload that breaks off leaves nothing", async () => {
  await using at = await start();
  const blob = declare(randomBytes(1000));
  const url = new URL(at.links.upload(at.rig.url, blob, 60_000));
  const socket = await rawConnection(
    at.rig.port.number,
    `PUT ${url.pathname}${url.search} HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\nhalf`,
  );
  const temporaries = join(at.folder, "content", "tmp");
  while ((await readdir(temporaries)).length === 0) await new Promise((resolve) => setImmediate(resolve));
  socket.destroy();
  while ((await readdir(temporaries)).length > 0) await new Promise((resolve) => setImmediate(resolve));
});

test("an upload whose recording failed is repeated with success", async () => {
  let fails = 1;
  await using at = await start(async () => {
    if (fails-- > 0) throw new Error("store is busy");
  });
  const bytes = randomBytes(1000);
  const { uploadUrls, completionUrl } = at.links.uploadInParts(at.rig.url, declare(bytes), 60_000);
  await put(uploadUrls[0] ?? "", bytes);
  assert.equal((await post(completionUrl, [hash("md5", bytes)])).status, 500);
  assert.equal((await post(completionUrl, [hash("md5", bytes)])).status, 200);
  assert.equal(at.blobs.length, 1);
});

test("old parts are swept, new ones are not", async () => {
  await using at = await start();
  await at.uploads.sweep(Date.now());
  for (const name of ["bl-old", "bl-new"]) await mkdir(join(at.folder, "parts", name), { recursive: true });
  await utimes(join(at.folder, "parts", "bl-old"), 1000, 1000);
  await at.uploads.sweep(Date.now() - 60_000);
  assert.deepEqual(await readdir(join(at.folder, "parts")), ["bl-new"]);
});

test("workers read content by its digest, nobody else does", async () => {
  await using at = await start();
  const { sha256 } = await at.store.put(Buffer.from("0123456789"));
  await using workersDoor = await startDoor(at.rig.port.number, "w");
  await using containersDoor = await startDoor(at.rig.port.number, "c");
  const get = (port: number, digest: string, headers = {}) =>
    fetch(`http://127.0.0.1:${port}/content/${digest}`, { headers });
  assert.equal(await (await get(workersDoor.port, sha256)).text(), "0123456789");
  assert.equal(await (await get(workersDoor.port, sha256, { range: "bytes=-2" })).text(), "89");
  assert.equal((await get(workersDoor.port, "ab".repeat(32))).status, 404);
  assert.equal((await get(workersDoor.port, "..%2fx")).status, 400);
  assert.equal((await get(containersDoor.port, sha256)).status, 403);
  assert.equal((await get(at.rig.port.number, sha256)).status, 403);
});
