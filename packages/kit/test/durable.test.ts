import assert from "node:assert/strict";
import { mkdir, mkdtempDisposable, readFile, readdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";

import { PlatformError, removeBelow, writeDurably } from "../src/index.ts";

it("replaces a file as a whole and leaves nothing behind when it fails", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "lydian-durable-"));
  const file = join(folder.path, "made", "file");
  await writeDurably(file, "one");
  await assert.rejects(
    writeDurably(file, async (handle) => {
      await handle.writeFile("half");
      throw new Error("full");
    }),
    /full/,
  );
  assert.equal(await readFile(file, "utf8"), "one");
  assert.deepEqual(await readdir(join(folder.path, "made")), ["file"]);
});

it("deletes below its folder and nowhere else", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "lydian-durable-"));
  const inner = join(folder.path, "a");
  await mkdir(inner);
  await writeFile(join(inner, "x"), "");
  for (const path of [folder.path, join(inner, ".."), join(folder.path, "..", "elsewhere"), "/etc"]) {
    await assert.rejects(removeBelow(folder.path, path), PlatformError);
  }
  await removeBelow(folder.path, inner);
  assert.deepEqual(await readdir(folder.path), []);
});
