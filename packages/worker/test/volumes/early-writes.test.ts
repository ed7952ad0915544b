/** Large files are brought to disk while they are written; what is small, or no file, is left alone, and quiet folders cost nothing. */
import assert from "node:assert/strict";
import { mkdir, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";

import { createLogger } from "@lydian/kit";
import { ManualClock, temporaryFolder, until } from "@lydian/testkit";

import { EarlyWrites } from "../../src/volumes/early-writes.ts";

const mebibyte = 1024 * 1024;
const logger = createLogger("test", "warn");

/** A folder in which something has just been written. */
async function begin(first: (at: (name: string) => string) => Promise<void>) {
  const stack = new AsyncDisposableStack();
  const { path } = stack.use(await temporaryFolder());
  const clock = new ManualClock();
  const written: string[] = [];
  const write = async (file: string): Promise<void> => void written.push(file.slice(path.length + 1));
  const early = stack.use(new EarlyWrites(path, { clock, logger }, write));
  const at = (name: string): string => join(path, name);
  assert.equal(clock.pending, 0, "it looks at a folder in which nothing happens");
  await first(at);
  const wakes = (): Promise<unknown> =>
    until(
      10_000,
      () => clock.pending === 1,
      () => "the kernel told nothing",
    );
  await wakes();
  /** One look, in which files are read for real. */
  const look = async (): Promise<string[]> => {
    await clock.advance(500);
    await until(
      10_000,
      () => clock.pending === 1 || early.isAsleep,
      () => "the look does not end",
    );
    return written.splice(0).toSorted();
  };
  return { at, clock, early, look, wakes, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

const large = async (file: string, mebibytes = 8): Promise<void> => {
  await writeFile(file, "");
  await truncate(file, mebibytes * mebibyte);
};

describe("what is written to a volume", () => {
  it("is brought to disk at each look, where it is a large file at any depth", async () => {
    await using it = await begin(async (at) => {
      await mkdir(at("in/deep"), { recursive: true });
      await large(at("one"));
      await large(at("in/deep/two"));
      await writeFile(at("small"), "small");
      await symlink(at("one"), at("link"));
    });
    assert.deepEqual(await it.look(), ["in/deep/two", "one"]);
    await large(it.at("one"), 16);
    assert.deepEqual(await it.look(), ["in/deep/two", "one"]);
  });

  it("is looked at no more when nothing grows, until something happens again, or it is over", async () => {
    await using it = await begin((at) => large(at("one")));
    for (let looks = 0; !it.early.isAsleep; looks++) {
      assert.ok(looks < 30, "it never sleeps");
      await it.look();
    }
    assert.equal(it.clock.pending, 0);
    await large(it.at("two"));
    await it.wakes();
    assert.deepEqual(await it.look(), ["one", "two"]);
    it.early[Symbol.dispose]();
    await large(it.at("three"));
    await it.clock.advance(5_000);
    assert.equal(it.clock.pending, 0);
  });

  it("may go while it is looked at", async () => {
    await using it = await begin((at) => symlink("nowhere", at("gone")));
    assert.deepEqual(await it.look(), []);
  });
});
