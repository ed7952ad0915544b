/** Paths in a root whose links want to lead out of it. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";

import { RootPaths } from "../../../src/runtime/runc/root-path.ts";

const cases: { links: Record<string, string>; path: string; leadsTo: string }[] = [
  { links: {}, path: "/root/a/b.py", leadsTo: "root/a/b.py" },
  { links: { app: "/srv/app" }, path: "/app/b.py", leadsTo: "srv/app/b.py" },
  { links: { app: "srv/app" }, path: "/app/b.py", leadsTo: "srv/app/b.py" },
  { links: { app: "/etc" }, path: "/app/passwd", leadsTo: "etc/passwd" },
  { links: { app: "../../../../etc" }, path: "/app/passwd", leadsTo: "etc/passwd" },
  { links: { app: "/a/../../../b" }, path: "/app/x", leadsTo: "b/x" },
  { links: { one: "/two", two: "three", three: "/srv/./x/" }, path: "/one/y/z", leadsTo: "srv/x/y/z" },
  { links: { "srv/in": "../out" }, path: "/srv/in/x", leadsTo: "out/x" },
  // The last name is a place to lay a file; what is there is replaced, not followed.
  { links: { "srv/file": "/etc/shadow" }, path: "/srv/file", leadsTo: "srv/file" },
];

for (const { links, path, leadsTo } of cases) {
  test(`${path} in a root with ${JSON.stringify(links)} is ${leadsTo}`, async () => {
    const root = await mkdtemp(join(tmpdir(), "lydian-root-"));
    try {
      await mkdir(join(root, "srv"));
      for (const [name, target] of Object.entries(links)) await symlink(target, join(root, name));
      const paths = new RootPaths(root);
      assert.equal(paths.hostPath(path), join(root, leadsTo));
      assert.equal(paths.hostPath(path), join(root, leadsTo)); // remembered
      assert.equal(paths.realPath(path), join(root, links["srv/file"] ?? leadsTo));
    } finally {
      await rm(root, { recursive: true });
    }
  });
}

test("links that go round, and paths that name no file, are refused", async () => {
  const root = await mkdtemp(join(tmpdir(), "lydian-root-"));
  try {
    await symlink("/two", join(root, "one"));
    await symlink("/one", join(root, "two"));
    const paths = new RootPaths(root);
    assert.throws(() => paths.hostPath("/one/x"), /too many symbolic links/);
    for (const path of ["/", "", "relative", "/a/..", "/a/."])
      assert.throws(() => paths.hostPath(path), /names no file/);
  } finally {
    await rm(root, { recursive: true });
  }
});
