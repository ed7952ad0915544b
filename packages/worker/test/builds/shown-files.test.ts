/** What a step has made of files that were only shown to it is not the image's; links that it has left lead nowhere. */
import assert from "node:assert/strict";
import { mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";

import { temporaryFolder } from "@lydian/testkit";

import { leaveOut } from "../../src/builds/shown-files.ts";
import { makeWhiteout } from "../../src/layers/index.ts";

/** Files of a folder; a path that ends in a slash is an empty folder. */
async function lay(folder: string, paths: readonly string[]): Promise<string> {
  for (const path of paths) {
    await mkdir(join(folder, path.endsWith("/") ? path : dirname(path)), { recursive: true });
    if (!path.endsWith("/")) await writeFile(join(folder, path), "");
  }
  return folder;
}

const shown = (...paths: string[]): Parameters<typeof leaveOut>[0] => ({ layer: { id: "shown", diff: "" }, paths });

/** What is left of an upper, over an image with a folder `root`. */
async function left(paths: readonly string[], upper: readonly string[]): Promise<string[]> {
  await using folder = await temporaryFolder();
  const diff = await lay(join(folder.path, "image"), ["root/"]);
  const made = await lay(join(folder.path, "u"), upper);
  await leaveOut(shown(...paths), made, [{ id: "image", diff }]);
  return (await readdir(made, { recursive: true })).sort();
}

test("a file that was shown is left out, and what Python has compiled of it", async () => {
  const upper = ["root/app.py", "root/__pycache__/app.cpython-311.pyc", "root/__pycache__/apple.cpython-311.pyc"];
  assert.deepEqual(await left(["root/app.py"], upper), [
    "root",
    "root/__pycache__",
    "root/__pycache__/apple.cpython-311.pyc",
  ]);
  assert.deepEqual(await left(["root/app.py"], upper.slice(0, 2)), ["root"]);
});

test("folders that were only there for what was shown are left out, unless something else is in them now", async () => {
  const upper = ["srv/pkg/deep/__pycache__/a.cpython-311.pyc", "root/kept/"];
  assert.deepEqual(await left(["srv/pkg/deep/a.py", "root/none.py"], upper), ["root", "root/kept"]);
  const files = [...upper, "srv/pkg/made"];
  assert.deepEqual(await left(["srv/pkg/deep/a.py"], files), ["root", "root/kept", "srv", "srv/pkg", "srv/pkg/made"]);
});

test("a folder in a file's place is kept", async () => {
  assert.deepEqual(await left(["root/app.py"], ["root/app.py/mine"]), ["root", "root/app.py", "root/app.py/mine"]);
});

test("what was deleted of it leaves no mark, unless the image has a folder of that name", async () => {
  await using folder = await temporaryFolder();
  const diff = await lay(join(folder.path, "image"), ["root/kept/"]);
  const upper = await lay(join(folder.path, "u"), ["root/", "srv/"]);
  for (const path of ["root/app.py", "root/kept", "srv/pkg"]) makeWhiteout(upper, path);
  await leaveOut(shown("root/app.py", "root/kept/a.py", "srv/pkg/b.py"), upper, [{ id: "image", diff }]);
  assert.deepEqual((await readdir(upper, { recursive: true })).sort(), ["root", "root/kept"]);
});

test("links in the place of folders are not followed", async () => {
  await using folder = await temporaryFolder();
  const host = await lay(join(folder.path, "host"), ["app.py", "__pycache__/app.cpython-311.pyc", "empty/"]);
  const upper = await lay(join(folder.path, "u"), ["root/"]);
  await symlink(host, join(upper, "root", "pkg"));
  await symlink(join(host, "__pycache__"), join(upper, "root", "__pycache__"));
  await leaveOut(shown("root/app.py", "root/pkg/app.py", "root/pkg/empty/b.py"), upper, []);
  assert.deepEqual((await readdir(host)).sort(), ["__pycache__", "app.py", "empty"]);
  assert.deepEqual(await readdir(join(host, "__pycache__")), ["app.cpython-311.pyc"]);
});
