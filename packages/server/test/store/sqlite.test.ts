/** The embedded store on a real file: what is durable, what shares a transaction, what a unit sees. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";

import { Bells } from "@lydian/kit";
import { temporaryFolder } from "@lydian/testkit";

import type { Store, Tx } from "../../src/domain/store.ts";
import { migrations } from "../../src/store/migrations.ts";
import { openStore } from "../../src/store/sqlite.ts";
import { countRings, testStore } from "../support/open-store.ts";

/** The smallest thing to write: a kept reply under this key. */
const keep = (key: string) => async (tx: Tx) => await tx.replies.keep(key, new Uint8Array([1]), 0);
const has = (store: Store, key: string): Promise<boolean> =>
  store.read(async (tx) => (await tx.replies.find(key)) !== undefined);

/** How many pages the write-ahead log has. */
function pagesOfLog(file: string): { (): number; close(): void } {
  const database = new DatabaseSync(file, { readOnly: true });
  const frames = database.prepare("PRAGMA wal_checkpoint(NOOP)");
  const read = (): number => (frames.get() as { log: number }).log;
  return Object.assign(read, { close: () => database.close() });
}

describe("group commit", () => {
  it("writes what arrives in one turn in one transaction", async () => {
    await using test = await testStore();
    const seen: number[] = [];
    const watching = new DatabaseSync(test.file, { readOnly: true });
    const count = watching.prepare("SELECT count(*) AS n FROM replies");
    const writes = Array.from({ length: 50 }, (_, i) =>
      test.store.write(keep(`k${i}`)).then(() => seen.push((count.get() as { n: number }).n)),
    );
    await Promise.all(writes);
    watching.close();
    assert.deepEqual(seen, Array(50).fill(50), "the first to resolve already finds all of them on disk");
  });

  it("costs as much of the log for many units as for one", async () => {
    await using test = await testStore();
    const frames = pagesOfLog(test.file);
    await test.store.write(keep("warm"));
    const before = frames();
    await test.store.write(keep("one"));
    const one = frames() - before;
    await Promise.all(Array.from({ length: 50 }, (_, i) => test.store.write(keep(`k${i}`))));
    const many = frames() - before - one;
    await test.store.write(keep("last"));
    frames.close();
    assert.ok(one > 0);
    assert.ok(many <= 4 * one, `${many} pages for 50 units, ${one} for one`);
  });

  it("splits a long queue, so that the first does not wait for the last", async () => {
    await using test = await testStore();
    let last = false;
    const writes = Array.from({ length: 600 }, (_, i) => test.store.write(keep(`k${i}`)));
    void writes.at(-1)?.then(() => (last = true));
    await writes[0];
    assert.equal(last, false);
    await Promise.all(writes);
  });

  it("takes nothing with a unit that throws", async () => {
    await using test = await testStore();
    const [before, broken, after] = await Promise.allSettled([
      test.store.write(keep("before")),
      test.store.write(async (tx) => {
        await keep("half")(tx);
        throw new Error("in the middle");
      }),
      test.store.write(keep("after")),
    ]);
    assert.equal(before.status, "fulfilled");
    assert.equal(broken.status, "rejected");
    assert.match(String(broken.reason), /in the middle/);
    assert.equal(after.status, "fulfilled");
    assert.deepEqual(await Promise.all(["before", "half", "after"].map((key) => has(test.store, key))), [
      true,
      false,
      true,
    ]);
  });

  it("shows a later unit of the group what the earlier ones wrote", async () => {
    await using test = await testStore();
    void test.store.write(keep("first"));
    assert.equal(await test.store.write(async (tx) => (await tx.replies.find("first")) !== undefined), true);
  });

  it("refuses work after close, and says so to its caller", async () => {
    await using test = await testStore();
    await test.store.close();
    await assert.rejects(test.store.write(keep("late")), /closed|not open/);
    await assert.rejects(has(test.store, "late"), /closed|not open/);
  });
});

describe("bells", () => {
  it("ring after the commit and not before", async () => {
    await using test = await testStore();
    const found: boolean[] = [];
    const waiting = test.bells.until(
      ["b"],
      async () => {
        found.push(await has(test.store, "k"));
        return found.length === 2 ? true : undefined;
      },
      { clock: test.clock, waitMs: 1 },
    );
    await test.clock.settle();
    await test.store.write(async (tx) => {
      tx.ring("b");
      await keep("k")(tx);
    });
    await waiting;
    assert.deepEqual(found, [false, true]);
  });

  it("of a unit that throws do not ring", async () => {
    await using test = await testStore();
    const rings = countRings(test.bells, "b");
    await assert.rejects(
      test.store.write(async (tx) => {
        tx.ring("b");
        throw new Error("no");
      }),
    );
    await test.clock.settle();
    assert.equal(rings.count, 0);
    await test.store.write(async (tx) => tx.ring("b"));
    await test.clock.settle();
    assert.equal(rings.count, 1);
    await rings.stop();
  });

  it("cannot be rung by a unit that only reads", async () => {
    await using test = await testStore();
    await assert.rejects(
      test.store.read(async (tx) => tx.ring("b")),
      /rings no bell/,
    );
  });
});

describe("reads", () => {
  it("see no half of a unit, and nothing that is not committed", async () => {
    await using test = await testStore();
    const half = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    const writing = test.store.write(async (tx) => {
      await keep("a")(tx);
      half.resolve();
      await goOn.promise;
      await keep("b")(tx);
    });
    await half.promise;
    assert.equal(await has(test.store, "a"), false);
    goOn.resolve();
    await writing;
    assert.equal(await has(test.store, "a"), true);
    assert.equal(await has(test.store, "b"), true);
  });

  it("see one moment from their first to their last statement", async () => {
    await using test = await testStore();
    const looks = await test.store.read(async (tx) => {
      const first = await tx.replies.find("a");
      await test.store.write(keep("a"));
      return [first, await tx.replies.find("a")];
    });
    assert.deepEqual(looks, [undefined, undefined]);
    assert.equal(await has(test.store, "a"), true);
  });

  it("cannot write", async () => {
    await using test = await testStore();
    await assert.rejects(test.store.read(keep("a")), /readonly|read-only|query_only/i);
    assert.equal(await has(test.store, "a"), false);
  });
});

describe("the file", () => {
  it("has a write-ahead log", async () => {
    await using test = await testStore();
    const database = new DatabaseSync(test.file);
    assert.deepEqual({ ...database.prepare("PRAGMA journal_mode").get() }, { journal_mode: "wal" });
    database.close();
  });

  it("holds after reopening what it held", async () => {
    await using folder = await temporaryFolder();
    const file = join(folder.path, "store.sqlite");
    const first = openStore(file, new Bells());
    await first.write(keep("kept"));
    await first.close();
    const second = openStore(file, new Bells());
    assert.equal(await has(second, "kept"), true);
    await second.close();
  });

  it("gets its schema once, step by step", async () => {
    await using test = await testStore();
    const database = new DatabaseSync(test.file);
    const { user_version: version } = database.prepare("PRAGMA user_version").get() as { user_version: number };
    database.close();
    assert.equal(version, migrations.length);
  });

  it("of a newer version is refused and left alone", async () => {
    await using folder = await temporaryFolder();
    const file = join(folder.path, "store.sqlite");
    await openStore(file, new Bells()).close();
    const database = new DatabaseSync(file);
    database.exec(`PRAGMA user_version = ${migrations.length + 1}`);
    database.close();
    assert.throws(() => openStore(file, new Bells()), /newer version of Lydian/);
    const after = new DatabaseSync(file, { readOnly: true });
    assert.equal(after.prepare("PRAGMA user_version").get()?.["user_version"], migrations.length + 1);
    after.close();
  });
});
