/** Where content lies: the same holds for a folder of this machine and for a bucket of an object store. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";

import { PlatformError } from "@lydian/kit";
import { bucketServer, type BucketServer, makeBucket, noBuckets, seededRandom, temporaryFolder } from "@lydian/testkit";

import { bucketSchema } from "../../src/config.ts";
import { BucketPlace } from "../../src/content/bucket-place.ts";
import { ContentStore } from "../../src/content/content-store.ts";
import { type Sha256, sha256Of } from "../../src/content/digest.ts";
import { DiskPlace } from "../../src/content/disk-place.ts";
import type { ByteRange, ContentPlace } from "../../src/content/place.ts";
import { contentPlace, settlePlace } from "../../src/content/placement.ts";
import { isFail } from "../../src/errors.ts";
import { contentScene } from "./content-scene.ts";
import { randomLife } from "./random-life.ts";

const key = { accessKeyId: "key", secretAccessKey: "secret" };

const digestOf = (bytes: Uint8Array): Sha256 => sha256Of(createHash("sha256").update(bytes).digest("hex"));

async function bytesOf(place: ContentPlace, sha256: Sha256, range?: ByteRange): Promise<Buffer> {
  await using content = await place.open(sha256);
  assert.ok(content);
  const chunks: Buffer[] = [];
  for await (const chunk of content.stream(range)) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

async function listed(place: ContentPlace): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  for await (const { sha256, size } of place.list()) found.set(sha256, size);
  return found;
}

type Opened = AsyncDisposable & { place: ContentPlace; folder: string };

/** What a place is to do, whichever it is. */
function promises(open: () => Promise<Opened>): void {
  it("takes files, shows them whole and in part, lists and removes them", async () => {
    await using at = await open();
    const { place, folder } = at;
    const contents = [randomBytes(0), randomBytes(1), randomBytes(300_000), randomBytes(40 * 1024 * 1024 + 1)];
    for (const bytes of contents) {
      const file = join(folder, "file");
      await writeFile(file, bytes);
      const sha256 = digestOf(bytes);
      assert.equal(await place.size(sha256), undefined);
      await place.take(file, sha256);
      assert.ok(!existsSync(file));
      assert.equal(await place.size(sha256), bytes.length);
      assert.ok((await bytesOf(place, sha256)).equals(bytes));
    }
    const large = contents.at(-1) ?? Buffer.alloc(0);
    const range = { start: 16 * 1024 * 1024 - 5, end: 33 * 1024 * 1024 };
    assert.ok((await bytesOf(place, digestOf(large), range)).equals(large.subarray(range.start, range.end + 1)));
    await writeFile(join(folder, "again"), large);
    await place.take(join(folder, "again"), digestOf(large));
    assert.deepEqual(await listed(place), new Map(contents.map((bytes) => [digestOf(bytes), bytes.length])));
    await place.remove(digestOf(large));
    await place.remove(digestOf(large));
    assert.equal(await place.open(digestOf(large)), undefined);
    assert.equal((await listed(place)).size, 3);
  });

  it("holds what the store has checked, and nothing else", async () => {
    await using at = await open();
    const store = await ContentStore.open(join(at.folder, "store"), { place: at.place });
    const bytes = randomBytes(5000);
    const { sha256, existed } = await store.put(bytes, { expectedSha256: digestOf(bytes) });
    assert.deepEqual([sha256, existed], [digestOf(bytes), false]);
    assert.equal((await store.put(bytes, { expectedSha256: sha256 })).existed, true);
    const other = digestOf(randomBytes(5));
    await assert.rejects(store.put(bytes, { expectedSha256: other }), (error) => isFail(error, "invalidArgument"));
    assert.deepEqual(await store.missing([sha256, other]), [other]);
    assert.ok((await store.read(sha256)).equals(bytes));
    assert.deepEqual([...(await listed(at.place)).keys()], [sha256]);
  });

  it("loses nothing that is needed, whatever happens, and in the end keeps nothing else", async () => {
    await using at = await open();
    await using scene = await contentScene(at.place);
    await randomLife(scene.it, seededRandom(5), 40);
  });
}

describe("a folder", () => {
  promises(async () => {
    const folder = await temporaryFolder();
    await mkdir(join(folder.path, "content"));
    return {
      place: new DiskPlace(join(folder.path, "content")),
      folder: folder.path,
      [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
    };
  });
});

/** From the package index, when it is not there yet. */
const installed = { timeout: 300_000 };

describe("a bucket", { skip: noBuckets, ...installed }, () => {
  let server: BucketServer | undefined;
  let prefixes = 0;
  before(async () => {
    server = await bucketServer();
    await makeBucket(server.endpoint, "files");
  }, installed);
  after(() => server?.[Symbol.asyncDispose]());

  const settings = (prefix: string, bucket = "files") =>
    bucketSchema.parse({ bucket, prefix, endpoint: server?.endpoint });

  promises(async () => {
    const folder = await temporaryFolder();
    const place = await BucketPlace.open(settings(`try-${++prefixes}/`), "me", key);
    return {
      place,
      folder: folder.path,
      [Symbol.asyncDispose]: async () => {
        place[Symbol.dispose]();
        await folder[Symbol.asyncDispose]();
      },
    };
  });

  it("is one platform's alone behind a prefix, and refused with what to do about it when it cannot be used", async () => {
    const refused = (words: RegExp) => (error: unknown) => error instanceof PlatformError && words.test(error.message);
    using first = await BucketPlace.open(settings("mine/"), "me", key);
    using again = await BucketPlace.open(settings("mine/"), "me", key);
    assert.deepEqual([await listed(first), await listed(again)], [new Map(), new Map()]);
    await assert.rejects(
      BucketPlace.open(settings("mine/"), "you", key),
      refused(/"mine\/" belongs to another platform/),
    );
    await assert.rejects(
      BucketPlace.open(settings("", "none"), "me", key),
      refused(/bucket none cannot be used: NoSuchBucket/),
    );
  });

  it("is remembered by the folder of the server that has its content there", async () => {
    await using folder = await temporaryFolder();
    const wanted = settings("settled/");
    using _settled = await settlePlace(folder.path, wanted, key);
    using known = await contentPlace(folder.path, key);
    using again = await settlePlace(folder.path, undefined, key);
    assert.ok(known instanceof BucketPlace && again instanceof BucketPlace);
    await assert.rejects(
      settlePlace(folder.path, settings("other/"), key),
      /lies in s3:\/\/files\/settled\/ at .*, not in/,
    );
    await using full = await temporaryFolder();
    const sha256 = digestOf(randomBytes(1));
    await mkdir(join(full.path, "content", sha256.slice(0, 2)), { recursive: true });
    await writeFile(join(full.path, "content", sha256.slice(0, 2), sha256), "x");
    await assert.rejects(settlePlace(full.path, settings("full/"), key), /lies in its folder/);
  });
});
