import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:fs";
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";

import { watchWriters } from "../../src/runtime/writer-watch.ts";

async function withFifo(use: (fifo: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "lydian-fifo-"));
  try {
    execFileSync("mkfifo", [join(folder, "fifo")]);
    await use(join(folder, "fifo"));
  } finally {
    await rm(folder, { recursive: true });
  }
}

test("the end of the last writer is told, however it ends", async () => {
  await withFifo(async (fifo) => {
    await using own = await open(fifo, constants.O_RDWR); // so that the other need not wait for a reader
    const writer = spawn("sleep", ["60"], { stdio: ["ignore", own.fd, "ignore"] });
    await once(writer, "spawn");
    const gone = new Promise<void>((resolve) => watchWriters(fifo, resolve));
    await own.close();
    writer.kill("SIGKILL");
    await gone;
  });
});

test("nobody writes any more: told in a later turn, and not when the watch was closed", async () => {
  await withFifo(async (fifo) => {
    let told = 0;
    watchWriters(fifo, () => told++).close();
    const gone = new Promise<void>((resolve) => watchWriters(fifo, resolve));
    assert.equal(told, 0);
    await gone;
    assert.equal(told, 0);
  });
});
