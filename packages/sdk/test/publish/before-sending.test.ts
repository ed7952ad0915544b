/** What is wrong with a program's packages and files is said by its name, before anything is sent. */
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { it } from "node:test";

import { temporaryFolder } from "@lydian/testkit";

import { hintForMissing, packagesOf } from "../../src/publish/packages.ts";
import { filesBeside } from "../../src/publish/shipped-files.ts";

type Folder = Awaited<ReturnType<typeof temporaryFolder>>;

async function folderOf(files: Readonly<Record<string, string>>): Promise<Folder> {
  const folder = await temporaryFolder();
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder.path, path)), { recursive: true });
    await writeFile(join(folder.path, path), text);
  }
  return folder;
}

const lock = JSON.stringify({ lockfileVersion: 3, packages: { "": { name: "outer" } } });

it("a manifest below a lock file that is not its own", async () => {
  const inner = JSON.stringify({ name: "inner", dependencies: { ms: "^2.1.3" } });
  const found = async (outer: object): Promise<string> => {
    await using folder = await folderOf({
      "package.json": JSON.stringify(outer),
      "package-lock.json": lock,
      "inner/package.json": inner,
    });
    const { path: root } = folder;
    const packages = new Map([["ms", join(root, "inner", "app.ts")]]);
    try {
      return packagesOf({ root, entry: "inner/app.ts", modules: [], packages })?.what ?? "";
    } catch (error) {
      return (error as Error).message;
    }
  };
  const installs = "npm ci, as package-lock.json says";
  assert.match(await found({ name: "outer" }), /inner\/package\.json names ms, which \.\.\/package-lock\.json has not/);
  assert.equal(await found({ name: "outer", workspaces: ["inner"] }), installs);
  assert.equal(await found({ name: "outer", dependencies: { ms: "^2.1.3" } }), installs);
});

it("a package that is not installed here, by whether the manifest names it", async () => {
  await using folder = await folderOf({ "package.json": JSON.stringify({ dependencies: { there: "1" } }) });
  const { path: root } = folder;
  const file = join(root, "app.ts");
  assert.match(hintForMissing(root, "there", file), /names there, which is not installed here: npm install/);
  assert.match(hintForMissing(root, "left-pad", file), /package\.json does not name left-pad: npm install left-pad/);
});

it("a file that is named and never ships", async () => {
  await using folder = await folderOf({ ".env": "A=1", "notes/a.txt": "a", "notes/b.pem": "b" });
  const beside = (glob: string): Promise<string[]> => filesBeside(folder.path, [], [glob]);
  await assert.rejects(beside(".env"), /includeFiles has "\.env", and \.env does not ship/);
  await assert.rejects(beside("notes/*.pem"), /notes\/b\.pem does not ship/);
  assert.deepEqual(await beside("notes/*"), ["notes/a.txt"], "of many it is left out");
});
