import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";

import { temporaryFolder } from "@lydian/testkit";

import { readLease, writeLease } from "../../src/container/lease.ts";

/** As a worker of the first release wrote it, before a container that is to be taken over by a worker of today. */
const ofFirstRelease = `{"containerId":"ta-01M8PYTQAXPAYJFDRBSRWH5WG0","fence":"2f1c","doorSecret":"s3cret","runtime":"runc"}\n`;

it("is read as the first release wrote it", async () => {
  await using folder = await temporaryFolder();
  await writeFile(join(folder.path, "lease.json"), ofFirstRelease);
  assert.deepEqual(await readLease(folder.path), {
    containerId: "ta-01M8PYTQAXPAYJFDRBSRWH5WG0",
    fence: "2f1c",
    doorSecret: "s3cret",
    runtime: "runc",
  });
});

it("holds all that it is given, and without one of its parts it is none", async () => {
  await using folder = await temporaryFolder();
  const lease = {
    containerId: "ta-1",
    hostId: "st-1",
    fence: "f",
    doorSecret: "s",
    runtime: "process",
    stop: { killAtMs: 7 },
  };
  assert.equal(await readLease(folder.path), undefined);
  await writeLease(folder.path, lease);
  assert.deepEqual(await readLease(folder.path), lease);
  await writeFile(join(folder.path, "lease.json"), `{"containerId":"ta-1","fence":"f"}`);
  assert.equal(await readLease(folder.path), undefined);
  await writeFile(join(folder.path, "lease.json"), `{"containerId":`);
  assert.equal(await readLease(folder.path), undefined);
});
