/** Which Node containers are given, by what a program's files say. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";

import { temporaryFolder } from "@lydian/testkit";

import { nodeWishOf, otherNode } from "../../src/publish/node-version.ts";

const packaged = "26.10.0";

async function wanted(files: Readonly<Record<string, string>>): Promise<string | undefined> {
  await using folder = await temporaryFolder();
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder.path, name), text);
  return otherNode(nodeWishOf(folder.path), packaged);
}

const manifest = (more: object): { "package.json": string } => ({ "package.json": JSON.stringify(more) });

it("is the platform's own where that fits, or nothing is said", async () => {
  assert.equal(await wanted({}), undefined);
  for (const text of ["lts/*", "node", "26", "v26.10.0\n", "# the newest\n>=22"])
    assert.equal(await wanted({ ".nvmrc": text }), undefined, text);
  assert.equal(await wanted(manifest({ engines: { node: ">=20" } })), undefined);
});

it("is what .node-version, .nvmrc, devEngines and engines say, in this order", async () => {
  const all = {
    ".node-version": "22.18.0",
    ".nvmrc": "lts/krypton",
    ...manifest({
      devEngines: { runtime: [{ name: "bun" }, { name: "node", version: "^24" }] },
      engines: { node: "23" },
    }),
  };
  assert.equal(await wanted(all), "22.18.0");
  const { ".node-version": _, ...others } = all;
  assert.equal(await wanted(others), "24");
  assert.equal(await wanted({ "package.json": all["package.json"] }), "^24");
  assert.equal(await wanted(manifest({ engines: { node: ">=18 <25" } })), ">=18 <25");
});

it("refuses what is too old, and what is no version, by the name of the file", async () => {
  await assert.rejects(wanted({ ".nvmrc": "20" }), /\.nvmrc says Node 20, and functions run on 22\.15\.0 at least/);
  await assert.rejects(wanted(manifest({ engines: { node: "<22" } })), /engines of package\.json says Node <22/);
  await assert.rejects(wanted({ ".node-version": "newest; rm -rf /" }), /\.node-version says .* which is no version/);
});
