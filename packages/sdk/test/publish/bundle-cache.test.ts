/** A bundle is found again until a file that it was made of changes. */
import assert from "node:assert/strict";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";

import { temporaryFolder } from "@lydian/testkit";

import { keepBundle, readBundle } from "../../src/publish/bundle-cache.ts";

it("is found again until a file that it was made of changes, or goes", async () => {
  await using folder = await temporaryFolder();
  const [source, cache] = [join(folder.path, "a.ts"), join(folder.path, "cache")];
  const files = [{ path: "/a.js", text: "1" }];
  await writeFile(source, "1");
  assert.equal(readBundle(cache, "x"), undefined);
  keepBundle(cache, "x", [source], files);
  assert.deepEqual(readBundle(cache, "x"), files);
  assert.equal(readBundle(cache, "y"), undefined);
  await writeFile(source, "22");
  assert.equal(readBundle(cache, "x"), undefined);
  keepBundle(cache, "x", [source], files);
  await rm(source);
  assert.equal(readBundle(cache, "x"), undefined);
  await writeFile(join(cache, "x.json"), "{");
  assert.equal(readBundle(cache, "x"), undefined);
});

it("is made anew where it cannot be kept", async () => {
  await using folder = await temporaryFolder();
  const source = join(folder.path, "a.ts");
  await writeFile(source, "1");
  keepBundle(join(source, "no folder"), "x", [source], []);
  assert.equal(readBundle(join(source, "no folder"), "x"), undefined);
});
