/** Large changes, which are written in portions: nobody sees one before it is whole, and nothing is left of one that is not made. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";

import { type ErrorCode, isFail } from "../../src/errors.ts";
import { deleteVolume } from "../../src/volumes/manage.ts";
import { wayBack } from "../../src/volumes/history.ts";
import { file, volumeScene } from "./volume-scene.ts";

const fails = (code: ErrorCode, words: RegExp) => (error: unknown) =>
  (isFail(error, code) && words.test(error.text)) || assert.fail(String(error));

type Scene = Awaited<ReturnType<typeof volumeScene>>;

const many = (content: number, count = 1500) =>
  Array.from({ length: count }, (_, i) => file(`d${i % 3}/${String(i).padStart(4, "0")}`, content));

function rows({ test }: Scene): number {
  const database = new DatabaseSync(test.file, { readOnly: true });
  const { count } = database.prepare("SELECT count(*) AS count FROM volume_entries").get() as { count: number };
  database.close();
  return count;
}

/** Lets so many units of work through, and then no more: the store of a server that dies. */
function dyingAfter({ test: { store } }: Scene, units: number): Scene["test"]["store"] {
  let left = units;
  return {
    ...store,
    note: async (unit) => {
      if (left-- <= 0) throw new Error("dead");
      return await store.note(unit);
    },
  };
}

describe("a change of more than a portion", () => {
  it("is seen whole or not at all by who reads meanwhile, and others' changes wait for it", async () => {
    await using it = await volumeScene({}, 2);
    await it.commits({ written: [file("d0/0000", 1), file("other", 1)] });
    const before = await it.shows();
    const large = it.commits({ written: many(2), removed: ["other"] });
    const small = it.commits({ written: [file("d1/0001", 3)] });
    let looks = 0;
    while ((await it.volume()).head === 1) {
      assert.deepEqual(await it.shows(1), before);
      looks++;
    }
    assert.ok(looks > 1, "nobody could look meanwhile");
    assert.deepEqual([await large, await small], [2, 3]);
    const shown = await it.shows();
    assert.equal(shown.length, 1503);
    assert.ok(shown.includes("d1/0001=3") && !shown.includes("other=1"));
    const { entries, bytes } = await it.volume();
    assert.deepEqual([entries, bytes], [1503, 4500]);
  });

  it("takes away folders of very many files, unless something of others is left in one", async () => {
    await using it = await volumeScene({}, 2);
    const files = many(1, 6000);
    await it.commits({ written: files });
    await it.commits({ written: [file("d1/zz", 2)] });
    const removed = [...files.map(({ path }) => path), "d0/", "d1/", "d2/"];
    assert.equal(await it.commits({ removed }), 3);
    assert.deepEqual(await it.shows(), ["d1/", "d1/zz=2"]);
  });

  it("that is refused in the end leaves nothing behind", async () => {
    await using it = await volumeScene({ volumeBytes: 3000 }, 2);
    await it.commits({ written: [file("d0/0000", 1)] });
    const before = rows(it);
    await assert.rejects(it.commits({ written: many(2) }), fails("resourceExhausted", /would hold 4500 bytes/));
    assert.equal(rows(it), before);
    assert.deepEqual(await it.shows(), ["d0/", "d0/0000=1"]);
    assert.equal(await it.commits({ written: [file("d0/0000", 3)] }), 2);
  });

  it("of a server that dies is taken back by the next one, before the same change comes again", async () => {
    await using it = await volumeScene({}, 2);
    await it.commits({ written: [file("d0/0000", 1), file("other", 1)] });
    const change = { key: "one", written: many(2), removed: ["other"] };
    await assert.rejects(it.withStore(dyingAfter(it, 2))(change), /dead/);
    assert.ok(rows(it) > 500, "some of it was written");
    assert.deepEqual(await it.shows(), ["d0/", "d0/0000=1", "other=1"]);
    assert.equal(await it.commits({ written: [file("small", 3)] }), 2);
    assert.deepEqual(await it.shows(), ["d0/", "d0/0000=1", "other=1", "small=3"]);
    assert.equal(await it.commits(change), 3);
    assert.equal(await it.commits(change), 3);
    assert.equal((await it.shows()).length, 1504);
  });

  it("goes with its volume, also what a dead server has left of it", async () => {
    await using it = await volumeScene({}, 2);
    await assert.rejects(it.withStore(dyingAfter(it, 2))({ written: many(2) }), /dead/);
    await it.test.does((tx) => deleteVolume(tx, it.id));
    await assert.rejects(it.commits({ written: many(2) }), fails("notFound", /was deleted/));
    while ((await it.test.store.write((tx) => tx.volumes.forget(200))) === 200);
    assert.equal(rows(it), 0);
  });

  it("can be a restore, and a file in the place of a folder with all that is in it", async () => {
    await using it = await volumeScene({}, 2);
    await it.commits({ written: many(2) });
    const whole = await it.shows();
    await it.commits({ written: [file("d0", 3), ...many(4).filter(({ path }) => !path.startsWith("d0/"))] });
    assert.equal((await it.shows()).length, 1003);
    assert.equal(await it.commits(await wayBack((unit) => it.test.store.read(unit), await it.volume(), 1)), 3);
    assert.deepEqual(await it.shows(), whole);
  });
});
