/** States of volumes: what is different between them, the way back, and how those of before are forgotten. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";

import { seededRandom } from "@lydian/testkit";

import type { Entry } from "../../src/domain/volume.ts";
import { type ErrorCode, isFail } from "../../src/errors.ts";
import { changePages } from "../../src/volumes/changes.ts";
import { allBelow, newFolder } from "../../src/volumes/commit.ts";
import { differences, forgetStates, wayBack } from "../../src/volumes/history.ts";
import { file, shown, volumeScene } from "./volume-scene.ts";

const fails = (code: ErrorCode, words: RegExp) => (error: unknown) =>
  (isFail(error, code) && words.test(error.text)) || assert.fail(String(error));

type Scene = Awaited<ReturnType<typeof volumeScene>>;

async function diff({ test, volume }: Scene, from: number, to: number, limit = 1000): Promise<string[]> {
  const { changes, more } = await differences(test.store, await volume(), { from, to }, limit);
  const lines = changes.map(({ path, before, after, sameContent }) => {
    const text = (entry: Entry | undefined): string => (entry === undefined ? "nothing" : shown(entry));
    return `${path}: ${text(before)} -> ${text(after)}${sameContent ? " (same)" : ""}`;
  });
  return more ? [...lines, "…"] : lines;
}

async function restore({ test, volume, commits }: Scene, to: number): Promise<number | undefined> {
  const known = await volume();
  return await commits(await wayBack((unit) => test.store.read(unit), known, to));
}

/** What was not the newest any more before now is forgotten. */
async function forget({ test }: Scene, portion = 200): Promise<void> {
  const now = test.clock.now();
  for (let after: string | undefined = ""; after !== undefined;) {
    const from: string = after;
    after = await test.does((tx) => forgetStates(tx, { time: now, now }, from, portion));
  }
  while ((await test.does((tx) => tx.volumes.trim(portion))) === portion);
}

/** A state as a worker makes it from another one: what is removed first, then what is written. */
async function follow({ test, id }: Scene, state: readonly string[], from: number, to: number): Promise<string[]> {
  const paths = new Map(state.map((line) => [line.replace(/\/$|=.*$/, ""), line]));
  for await (const page of changePages((unit) => test.store.read(unit), id, { from, to })) {
    if ("ended" in page) for (const { path } of page.ended) paths.delete(path);
    else for (const entry of page.begun) paths.set(entry.path, shown(entry));
  }
  return [...paths.values()].toSorted();
}

describe("the difference between two states", () => {
  it("names each path with what it was and is, in both directions", async () => {
    await using it = await volumeScene();
    await it.commits({ written: [file("a/b", 1), file("c", 2)] });
    const later = { ...file("a/b", 3), pieces: file("a/b", 1).pieces };
    await it.commits({ written: [later, file("d", 4)], removed: ["c"] });
    const expected = ["a/b: a/b=1 -> a/b=3 (same)", "c: c=2 -> nothing", "d: nothing -> d=4"];
    assert.deepEqual(await diff(it, 1, 2), expected);
    assert.deepEqual(await diff(it, 2, 1), ["a/b: a/b=3 -> a/b=1 (same)", "c: nothing -> c=2", "d: d=4 -> nothing"]);
    assert.equal((await diff(it, 0, 2, 2)).at(-1), "…");
    assert.deepEqual(await diff(it, 2, 2), []);
    await assert.rejects(diff(it, 1, 3), fails("notFound", /"data" has no commit 3: its newest one is 2/));
  });
});

describe("a restore", () => {
  it("is a commit that shows what was there, whatever has taken its place", async () => {
    await using it = await volumeScene();
    await it.commits({ written: [file("a/x", 1), file("b", 2), newFolder("c", 0)] });
    await it.commits({ removed: ["a/x", "a/"], written: [file("a", 3), file("b/y", 4), file("c/z", 5)] });
    const before = await it.shows();
    assert.equal(await restore(it, 1), 3);
    assert.deepEqual(await it.shows(), ["a/", "a/x=1", "b=2", "c/"]);
    assert.equal(await restore(it, 1), undefined, "it shows that already");
    assert.equal(await restore(it, 2), 4);
    assert.deepEqual(await it.shows(), before);
    assert.equal(await restore(it, 0), 5);
    assert.deepEqual(await it.shows(), []);
    const { entries, bytes } = await it.volume();
    assert.deepEqual([entries, bytes], [0, 0]);
  });
});

describe("a state that is forgotten", () => {
  it("cannot be read any more, and what only it showed is gone from the store", async () => {
    await using it = await volumeScene();
    await it.commits({ written: [file("a", 1), file("b", 2)] });
    await it.test.clock.advance(1000);
    await it.commits({ written: [file("a", 3)], removed: ["b"] });
    await forget(it);
    await assert.rejects(restore(it, 1), fails("gone", /after commit 1 is not kept.* kept is 2/));
    await assert.rejects(diff(it, 1, 2), fails("gone", /after commit 1/));
    assert.deepEqual(await it.shows(), ["a=3"]);
    const database = new DatabaseSync(it.test.file, { readOnly: true });
    const rows = database.prepare("SELECT path, since, kind, length(content) AS bytes FROM volume_entries").all();
    database.close();
    assert.deepEqual(
      rows.map((row) => Object.values(row)),
      [
        ["a", 1, "gone", 0],
        ["a", 2, "file", 44],
        ["b", 1, "gone", 0],
      ],
    );
  });

  it("was the newest one until less than the time of a history ago: it stays as long", async () => {
    await using it = await volumeScene();
    await it.commits({ written: [file("a", 1)] });
    await it.test.clock.advance(1000);
    const time = it.test.clock.now() - 1;
    await it.commits({ written: [file("a", 2)] });
    await it.test.does((tx) => forgetStates(tx, { time, now: time }, "", 200));
    assert.equal((await it.volume()).oldest, 1);
    assert.deepEqual(await it.shows(1), ["a=1"]);
  });

  it("goes with its commit once nobody asks for that any more, however many there are", async () => {
    await using it = await volumeScene();
    for (let i = 1; i <= 20; i++) await it.commits({ written: [file("a", i)] });
    await it.test.clock.advance(7 * 86_400_000 + 1);
    await forget(it, 3);
    const commits = await it.test.does((tx) => tx.volumes.commitsBefore(it.id, 100, 100));
    assert.deepEqual(
      commits.map(({ number }) => number),
      [20],
    );
    assert.equal((await it.volume()).oldest, 20);
  });

  for (const seed of [1, 2, 3]) {
    it(`still leads to the newest one on workers that have it, and every one that is kept can be restored (seed ${seed})`, async () => {
      await using it = await volumeScene();
      const random = seededRandom(seed);
      const states: string[][] = [[]];
      const path = (): string => Array.from({ length: 1 + random.below(3) }, () => random.pick(["a", "b"])).join("/");
      for (let content = 1; content <= 80; content++) {
        await it.test.clock.advance(1000);
        const paths = (states.at(-1) ?? []).map((line) => line.replace(/=.*$/, ""));
        const removed = random.once(2) ? [random.pick([...paths, "none"]) ?? ""] : [];
        const written = random.once(4) ? [] : [file(path(), content)];
        if ((await it.commits({ removed, written })) !== undefined) states.push(await it.shows());
        if (random.once(9)) await forget(it, 1 + random.below(3));
        if (!random.once(5)) continue;
        const { head, oldest } = await it.volume();
        const to = oldest + random.below(head - oldest + 1);
        if ((await restore(it, to)) !== undefined) states.push(await it.shows());
        assert.deepEqual(states.at(-1), states[to]);
      }
      const { head, oldest } = await it.volume();
      assert.ok(oldest > 5 && head === states.length - 1);
      for (let to = oldest; to <= head; to++) {
        assert.deepEqual(await it.shows(to), states[to]);
        for (let from = 0; from <= to; from++) {
          assert.deepEqual(await follow(it, states[from] ?? [], from, to), states[to]?.toSorted(), `${from} to ${to}`);
        }
      }
      const known = await it.volume();
      const counted = await allBelow((unit) => it.test.store.read(unit), it.id, "", known.head);
      assert.equal(counted.length, known.entries);
    });
  }
});
