/** Commits of volumes against a simple model: a map of paths, in which whoever comes last wins. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { seededRandom } from "@lydian/testkit";

import type { Entry } from "../../src/domain/volume.ts";
import { type ErrorCode, isFail } from "../../src/errors.ts";
import { allBelow, newFolder } from "../../src/volumes/commit.ts";
import { file, volumeScene } from "./volume-scene.ts";

const fails = (code: ErrorCode, words: RegExp) => (error: unknown) =>
  (isFail(error, code) && words.test(error.text)) || assert.fail(String(error));

describe("a commit", () => {
  it("makes the folders above a file, and what was there before stays readable", async () => {
    await using it = await volumeScene();
    assert.equal(await it.commits({ written: [file("a/b/c", 1), file("d", 2)] }), 1);
    assert.equal(await it.commits({ written: [file("a/b/c", 3)], removed: ["d"] }), 2);
    assert.deepEqual(await it.shows(), ["a/", "a/b/", "a/b/c=3"]);
    assert.deepEqual(await it.shows(1), ["a/", "a/b/", "a/b/c=1", "d=2"]);
    assert.deepEqual(await it.shows(0), []);
    const { head, entries, bytes } = await it.volume();
    assert.deepEqual([head, entries, bytes], [2, 3, 3]);
  });

  it("that comes again changes nothing, nor does one that says what is there", async () => {
    await using it = await volumeScene();
    assert.equal(await it.commits({ key: "one", written: [file("a", 1)] }), 1);
    assert.equal(await it.commits({ written: [file("a", 2)] }), 2);
    assert.equal(await it.commits({ key: "one", written: [file("a", 1)] }), 1);
    assert.equal(await it.commits({ key: "two", written: [file("a", 2)], removed: ["nothing"] }), undefined);
    assert.deepEqual(await it.shows(), ["a=2"]);
  });

  it("takes away no folder in which something of others is left", async () => {
    await using it = await volumeScene();
    await it.commits({ written: [file("d/mine", 1), file("d/other", 2)] });
    await it.commits({ removed: ["d/mine", "d/"] });
    assert.deepEqual(await it.shows(), ["d/", "d/other=2"]);
  });

  it("puts a file in the place of a folder, and a folder in that of a file, but no empty one", async () => {
    await using it = await volumeScene();
    await it.commits({ written: [file("a/x/y", 1), file("b", 2)] });
    await it.commits({ written: [file("a", 3), file("b/c", 4)] });
    assert.deepEqual(await it.shows(), ["a=3", "b/", "b/c=4"]);
    await it.commits({ written: [newFolder("a", 5), newFolder("a/in", 5), newFolder("e", 5)] });
    assert.deepEqual(await it.shows(), ["a=3", "b/", "b/c=4", "e/"]);
  });

  it("over a limit is refused whole, and one that makes the volume smaller never is", async () => {
    await using it = await volumeScene({ volumeEntries: 3, volumeBytes: 6 });
    await it.commits({ written: [file("a", 1), file("b", 2)] });
    await assert.rejects(
      it.commits({ written: [file("c", 3)] }),
      fails("resourceExhausted", /"data".* 9 bytes; 6 are/),
    );
    await assert.rejects(
      it.commits({ removed: ["a"], written: [newFolder("c", 1), newFolder("d", 1), newFolder("e", 1)] }),
      fails("resourceExhausted", /"data" would have 4 files and folders; 3 are/),
    );
    assert.deepEqual(await it.shows(), ["a=1", "b=2"]);
    await using short = await volumeScene({ volumeFile: 2 });
    await assert.rejects(
      short.commits({ written: [file("a", 1)] }),
      fails("resourceExhausted", /"a" has 3 bytes; 2 are the most of a file in volume "data"/),
    );
    await using wide = await volumeScene({ volumeFolder: 2 }, 2);
    const written = [file("d/1", 1), file("d/2", 2)];
    await wide.commits({ written });
    await assert.rejects(
      wide.commits({ written: [file("d/3", 3)] }),
      fails("resourceExhausted", /"\/d".* 3 entries; 2/),
    );
    await wide.commits({ removed: ["d/1"], written: [file("d/3", 3)] });
  });
});

/** Of a map, in the order of its keys. */
const sorted = (map: Map<string, number>): [string, number][] =>
  [...map].toSorted(([one], [other]) => (one < other ? -1 : 1));

describe("commits of whatever changes", () => {
  for (const seed of [1, 2, 3]) {
    it(`make what the model says, and so is every difference between two states (seed ${seed})`, async () => {
      await using it = await volumeScene();
      const random = seededRandom(seed);
      const pick = (from: readonly string[]): string => random.pick(from) ?? "";
      const model: Map<string, number>[] = [new Map()];
      const path = (): string => Array.from({ length: 1 + random.below(3) }, () => pick(["a", "b", "c"])).join("/");
      for (let content = 1; content <= 60;) {
        const now = new Map(model.at(-1));
        const removed = random.once(3) ? [pick([...now.keys(), "none"])] : [];
        for (const each of removed) now.delete(each);
        const written: Entry[] = [];
        for (let i = 0; i < random.below(4); i++) {
          const entry = file(path(), content++);
          for (const other of now.keys()) {
            if (other.startsWith(`${entry.path}/`) || entry.path.startsWith(`${other}/`)) now.delete(other);
          }
          now.set(entry.path, entry.mtime);
          written.push(entry);
        }
        const head = await it.commits({ removed, written });
        if (head !== undefined) model.push(now);
        else assert.deepEqual(now, model.at(-1));
      }
      const filesOf = async (at: number): Promise<Map<string, number>> => {
        const shown = (await it.shows(at)).filter((line) => line.includes("="));
        return new Map(shown.map((line) => line.split("=")).map(([name = "", value]) => [name, Number(value)]));
      };
      for (const [at, files] of model.entries()) assert.deepEqual(sorted(await filesOf(at)), sorted(files));
      for (let i = 0; i < 30; i++) {
        const from = random.below(model.length);
        const to = from + random.below(model.length - from);
        const start = { number: 0, path: "" };
        const changed = await it.test.does(async (tx) => {
          const state = new Map(
            (await allBelow((unit) => unit(tx), it.id, "", from)).map((entry) => [entry.path, entry.mtime]),
          );
          for (const { path } of await tx.volumes.ended(it.id, { from, to }, start, 1e6)) state.delete(path);
          for (const entry of await tx.volumes.begun(it.id, { from, to }, start, 1e6))
            state.set(entry.path, entry.mtime);
          return state;
        });
        const wanted = await allBelow((unit) => it.test.store.read(unit), it.id, "", to);
        assert.deepEqual(sorted(changed), sorted(new Map(wanted.map(({ path, mtime }) => [path, mtime]))));
      }
    });
  }
});
