/** What is counted of a folder, on a real disk. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { link, mkdir, open, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "node:test";
import { promisify } from "node:util";

import { temporaryFolder } from "@lydian/testkit";

import { diskGauge } from "../../src/disk/disk-gauge.ts";

const mebibyte = 2 ** 20;
const patienceMs = 60_000;

test("blocks are counted, not lengths, and what has several names once", async () => {
  await using folder = await temporaryFolder();
  const names = ["full", "sparse", "linked"].map((name) => join(folder.path, name));
  for (const name of names) await mkdir(name);
  const [full = "", sparse = "", linked = ""] = names;
  await writeFile(join(full, "file"), Buffer.alloc(3 * mebibyte, "x"));
  await writeFile(join(sparse, "file"), "x");
  await truncate(join(sparse, "file"), 1000 * mebibyte);
  await writeFile(join(linked, "file"), Buffer.alloc(2 * mebibyte, "x"));
  for (let number = 0; number < 5; number++) await link(join(linked, "file"), join(linked, String(number)));
  const gauge = diskGauge(folder.path);
  const subjects = names.map((name) => ({ folder: name, pids: [] }));
  const held = (await gauge.count(subjects, "bytes", patienceMs)).map((count) =>
    Math.round((count.held ?? 0) / mebibyte),
  );
  assert.deepEqual(held, [3, 0, 2]);
  const inodes = (await gauge.count(subjects, "inodes", patienceMs)).map((count) => count.held);
  assert.deepEqual(inodes, [2, 2, 2]);
});

test("folders deeper than a path may be long are counted to the ground", async () => {
  await using folder = await temporaryFolder();
  const script =
    "import os, sys\nos.chdir(sys.argv[1])\nfor _ in range(40): os.mkdir('x' * 250); os.chdir('x' * 250)\n" +
    "open('file', 'wb').write(b'x' * (5 << 20))";
  const run = promisify(execFile);
  await run("python3", ["-c", script, folder.path]);
  const [count] = await diskGauge(folder.path).count([{ folder: folder.path, pids: [] }], "bytes", patienceMs);
  await run("rm", ["-rf", folder.path]); // the runtime's own calls cannot
  assert.ok((count?.held ?? 0) >= 5 * mebibyte);
});

test("what is not there, or takes too long, is not known; what has been counted by then is", async () => {
  await using folder = await temporaryFolder();
  const gauge = diskGauge(folder.path);
  const [there, not] = await gauge.count(
    [
      { folder: folder.path, pids: [] },
      { folder: join(folder.path, "no"), pids: [] },
    ],
    "bytes",
    patienceMs,
  );
  assert.ok(there?.held !== undefined);
  assert.equal(not?.held, undefined);
  const [late] = await gauge.count([{ folder: "/", pids: [] }], "bytes", 20);
  assert.equal(late?.held, undefined);
});

test("the disk's room is what a user without rights could have; what a process wrote is its own", async () => {
  await using folder = await temporaryFolder();
  const gauge = diskGauge(folder.path);
  const { bytes } = await gauge.rooms();
  assert.ok(bytes.free > 0 && bytes.free < bytes.total);
  const wrote = async (): Promise<number> =>
    (await gauge.count([{ folder: folder.path, pids: [process.pid] }], "bytes", patienceMs))[0]?.wrote ?? 0;
  const before = await wrote();
  await using file = await open(join(folder.path, "file"), "w");
  await file.write(Buffer.alloc(4 * mebibyte, "x"));
  await file.sync();
  assert.ok((await wrote()) - before >= 4 * mebibyte);
});
