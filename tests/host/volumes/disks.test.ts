/** The server's disk: cut off after a commit, and full in the middle of one. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { Bells } from "@lydian/kit";
import { ContentStore } from "@lydian/server/src/content/content-store";
import type { Piece } from "@lydian/server/src/domain/volume";
import { openStore } from "@lydian/server/src/store/sqlite";
import { allBelow } from "@lydian/server/src/volumes/commit";
import { knownVolume } from "@lydian/server/src/volumes/known";
import { SmallDisk } from "@lydian/testkit";
import { RefusedError } from "@lydian/worker/src/volumes/volume-server";

import { VolumeRig } from "./support.ts";

const skip = (await SmallDisk.lack()) ?? false;
const mebibyte = 2 ** 20;

async function read(content: ContentStore, { sha256, offset, length }: Piece): Promise<Buffer> {
  if (length === 0) return Buffer.alloc(0);
  await using opened = await content.open(sha256);
  assert.ok(opened, `content ${sha256} is missing`);
  const chunks: Buffer[] = [];
  const range = { start: offset, end: offset + length - 1 };
  for await (const chunk of opened.stream(range)) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

test("a power cut after a commit leaves all of it", { skip }, async () => {
  await using disk = await SmallDisk.make(160);
  await using rig = await VolumeRig.open({ serverFolder: disk.path });
  const container = await rig.begin();
  const files = new Map<string, string>();
  mkdirSync(join(container.data, "many"));
  const write = (path: string, content: Buffer): void => {
    writeFileSync(join(container.data, path), content);
    files.set(path, createHash("sha256").update(content).digest("hex"));
  };
  for (let i = 0; i < 300; i++) write(`many/${i}`, Buffer.from(`file ${i}`));
  write("large", Buffer.alloc(20 * mebibyte, "large"));
  await container.volume.commit();
  writeFileSync(join(disk.path, "not-synced"), "x");

  await using cut = await disk.cutOff();
  assert.ok(!existsSync(join(cut.path, "not-synced")), "this was no power cut");
  const store = openStore(join(cut.path, "store.sqlite"), new Bells());
  const content = await ContentStore.open(join(cut.path, "content"));
  const entries = await store.read(async (tx) => {
    const { id, head } = await knownVolume(tx, rig.volumeId);
    return await allBelow(tx, id, "", head);
  });
  await store.close();
  const found = new Map<string, string>();
  for (const { path, kind, pieces } of entries) {
    if (kind !== "file") continue;
    const hash = createHash("sha256");
    for (const piece of pieces) hash.update(await read(content, piece));
    found.set(path, hash.digest("hex"));
  }
  assert.deepEqual(Object.fromEntries(found), Object.fromEntries(files));
});

test("a full disk refuses a commit, says so, and leaves the last version whole", { skip }, async () => {
  await using disk = await SmallDisk.make(48);
  await using rig = await VolumeRig.open({ serverFolder: disk.path });
  const [one, two] = [await rig.begin(), await rig.begin()];
  writeFileSync(join(one.data, "kept"), "1");
  await one.volume.commit();
  writeFileSync(join(one.data, "kept"), "2");
  writeFileSync(join(one.data, "large"), Buffer.alloc(64 * mebibyte, "large"));
  for (let tries = 0; tries < 2; tries++) {
    await assert.rejects(one.volume.commit(), (error: unknown) => {
      assert.ok(error instanceof RefusedError);
      assert.match(error.message, /disk/);
      return true;
    });
  }
  await two.volume.reload();
  assert.equal(readFileSync(join(two.data, "kept"), "utf8"), "1");
  assert.deepEqual(await rig.files(), ["kept"]);
  assert.equal(readFileSync(join(one.data, "kept"), "utf8"), "2");
  // What was sealed is not published as it was, but as it is when it fits.
  rmSync(join(one.data, "large"));
  await one.volume.commit();
  await two.volume.reload();
  assert.equal(readFileSync(join(two.data, "kept"), "utf8"), "2");
  assert.deepEqual(await rig.files(), ["kept"]);
});
