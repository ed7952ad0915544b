import assert from "node:assert/strict";
import { mkdir, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";

import {
  makeFile,
  makeFolder,
  openEntry,
  openFile,
  openFolder,
  openInRoot,
  readLink,
} from "../../src/layers/descriptor.ts";
import { asyncSystemCall, SystemCallError, systemCall } from "../../src/layers/system-call.ts";
import { temporaryFolder } from "../support/temporary.ts";

it("opens an entry of a folder, and no link in its place", async (t) => {
  const folder = await temporaryFolder(t);
  await mkdir(join(folder, "real/deep"), { recursive: true });
  await symlink("real", join(folder, "link"));
  using parent = openFolder(folder);
  using entry = openEntry(parent, "real", "folder");
  assert.equal(entry.path, join(folder, "real"));
  for (const name of ["link", "link/deep"]) {
    assert.throws(() => openEntry(parent, name, "folder"), { call: "openat2", code: "ELOOP" });
  }
  for (const name of ["..", "../x", "/etc"]) {
    assert.throws(() => openEntry(parent, name, "any"), { call: "openat2", code: "EXDEV" });
  }
});

it("opens what a process with this root would", async (t) => {
  const folder = await temporaryFolder(t);
  await mkdir(join(folder, "root/inside"), { recursive: true });
  await writeFile(join(folder, "outside"), "");
  for (const [name, to] of Object.entries({ up: "../../outside", absolute: "/inside", self: "/proc/self/root" })) {
    await symlink(to, join(folder, "root", name));
  }
  using root = openFolder(join(folder, "root"));
  assert.equal(openInRoot(root, "/up", "any"), undefined);
  assert.equal(openInRoot(root, "/../outside", "any"), undefined);
  assert.equal(openInRoot(root, "/self", "any"), undefined);
  using inside = openInRoot(root, "/absolute", "folder");
  assert.ok(inside !== undefined);
  assert.equal(makeFolder(inside, "new", 0o755), true);
  assert.equal(makeFolder(inside, "new", 0o755), false);
  assert.equal(makeFile(inside, "file", 0o644), true);
  assert.equal(makeFile(inside, "new", 0o644), false);
  assert.equal((await stat(join(folder, "root/inside/file"))).size, 0);
  assert.equal(readLink(root, "up"), "../../outside");
  assert.equal(readLink(root, "inside"), undefined);
  assert.equal(readLink(root, "missing"), undefined);
});

it("names the call, the path and the error, on this thread and on others", async () => {
  assert.throws(
    () => openFile("/no/such/file"),
    (error) => {
      assert.ok(error instanceof SystemCallError);
      assert.equal(error.message, "openat of /no/such/file failed: ENOENT (no such file or directory)");
      return true;
    },
  );
  const bad = { code: "EBADF", message: "syncfs of nothing failed: EBADF (bad file descriptor)" };
  assert.throws(() => systemCall("syncfs", ["long"])("nothing", -1), bad);
  await assert.rejects(asyncSystemCall("syncfs", ["long"])("nothing", -1), bad);
});
