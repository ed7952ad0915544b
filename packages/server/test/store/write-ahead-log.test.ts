/** When a write is on disk: after a sync that began when it was committed, shared with all that came meanwhile. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, it } from "node:test";

import { Bells } from "@lydian/kit";
import { temporaryFolder, turns } from "@lydian/testkit";

import type { Tx } from "../../src/domain/store.ts";
import { openStore } from "../../src/store/sqlite.ts";
import { WriteAheadLog } from "../../src/store/write-ahead-log.ts";
import { countRings } from "../support/open-store.ts";

const keep = (key: string) => async (tx: Tx) => await tx.replies.keep(key, new Uint8Array([1]), 0);

/** A store whose disk does nothing until it is told: `disk` has a function for each sync that waits. */
async function scene() {
  const folder = await temporaryFolder();
  const bells = new Bells();
  const disk: (() => void)[] = [];
  const store = openStore(join(folder.path, "store.sqlite"), bells, (_descriptor, done) => {
    disk.push(() => done(null));
  });
  const settled: string[] = [];
  const does = (kind: "write" | "note", key: string): void => void store[kind](keep(key)).then(() => settled.push(key));
  return {
    bells,
    disk,
    store,
    settled,
    does,
    async [Symbol.asyncDispose]() {
      const closing = store.close();
      await turns();
      for (let sync = disk.shift(); sync !== undefined; sync = disk.shift()) {
        sync();
        await turns();
      }
      await closing;
      await folder[Symbol.asyncDispose]();
    },
  };
}

describe("a write", () => {
  it("resolves when it is on disk, and a note when it is committed", async () => {
    await using it = await scene();
    it.does("note", "n");
    await turns();
    assert.deepEqual([it.settled, it.disk.length], [["n"], 0]);
    it.does("write", "w");
    await turns();
    assert.deepEqual([it.settled, it.disk.length], [["n"], 1]);
    it.disk.shift()?.();
    await turns();
    assert.deepEqual(it.settled, ["n", "w"]);
  });

  it("that comes while a sync is under way waits for the next, with all others that do", async () => {
    await using it = await scene();
    it.does("write", "a");
    await turns();
    for (const key of ["b", "c"]) {
      it.does("write", key);
      await turns();
    }
    assert.equal(it.disk.length, 1);
    it.disk.shift()?.();
    await turns();
    assert.deepEqual([it.settled, it.disk.length], [["a"], 1]);
    it.disk.shift()?.();
    await turns();
    assert.deepEqual([it.settled, it.disk.length], [["a", "b", "c"], 0]);
  });

  it("in one group with notes keeps them waiting for nothing", async () => {
    await using it = await scene();
    it.does("note", "n");
    it.does("write", "w");
    await turns();
    assert.deepEqual(it.settled, ["n"]);
  });

  it("wakes who waits for it before it is on disk: that is what is committed, whatever dies", async () => {
    await using it = await scene();
    const rings = countRings(it.bells, "b");
    let resolved = false;
    const unit = async (tx: Tx): Promise<void> => {
      await keep("k")(tx);
      tx.ring("b");
    };
    void it.store.write(unit).then(() => (resolved = true));
    await turns();
    const kept = await it.store.read((tx) => tx.replies.find("k"));
    assert.deepEqual([rings.count, kept?.length, resolved], [1, 1, false]);
    await rings.stop();
  });
});

describe("closing", () => {
  it("waits for what is on its way to the disk", async () => {
    await using it = await scene();
    it.does("write", "w");
    await turns();
    let closed = false;
    const closing = it.store.close().then(() => (closed = true));
    await turns();
    assert.equal(closed, false);
    it.disk.shift()?.();
    await closing;
    assert.deepEqual(it.settled, ["w"]);
  });
});

describe("the disk", () => {
  it("is really written to", async () => {
    await using folder = await temporaryFolder();
    const file = join(folder.path, "log");
    await writeFile(file, "x");
    const log = new WriteAheadLog(file);
    await Promise.all([log.sync(), log.sync()]);
    await log.close();
  });

  it("that fails refuses the write, and ends the process: nobody knows what it still holds", async () => {
    await using folder = await temporaryFolder();
    const program = join(import.meta.dirname, "..", "support", "failing-disk.ts");
    const args = ["--conditions=lydian-source", program, join(folder.path, "store.sqlite")];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
    const [said, errors, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
    assert.equal(said, "refused: the disk is gone\n");
    assert.match(errors, /the disk is gone/);
    assert.equal(code, 1);
  });
});
