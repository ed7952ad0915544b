/** Manifests: the same files give the same digest; paths and digests that are none are refused. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";

import { fromBinary } from "@bufbuild/protobuf";
import { worker } from "@lydian/contract";

import { isFail } from "../../src/errors.ts";
import { type MountedFile, buildManifest, emptyManifestSha256 } from "../../src/mounts/manifest.ts";

const file = (path: string, changes: Partial<MountedFile> = {}): MountedFile => ({
  path,
  sha256: "a".repeat(64),
  size: 3,
  mode: 0o644,
  ...changes,
});

test("the order of the files does not matter, anything else does", () => {
  const files = [file("/root/b.py"), file("/root/a.py"), file("/root/B.py")];
  const manifest = buildManifest(files);
  assert.equal(buildManifest(files.toReversed()).sha256, manifest.sha256);
  assert.deepEqual(
    files.map(({ path }) => path),
    ["/root/b.py", "/root/a.py", "/root/B.py"],
  );
  for (const changes of [{ path: "/c" }, { sha256: "b".repeat(64) }, { size: 4 }, { mode: 0o755 }]) {
    assert.notEqual(buildManifest([file("/root/b.py", changes), ...files.slice(1)]).sha256, manifest.sha256);
  }
});

test("it is named by its own digest and says all that a worker needs", () => {
  const { bytes, sha256 } = buildManifest([file("/b", { mode: 0o755, size: 9 }), file("/a")]);
  assert.equal(createHash("sha256").update(bytes).digest("hex"), sha256);
  const { files } = fromBinary(worker.ManifestSchema, bytes);
  assert.deepEqual(
    files.map(({ path, sha256, size, mode }) => ({ path, sha256, size, mode })),
    [
      { path: "/a", sha256: "a".repeat(64), size: 3n, mode: 0o644 },
      { path: "/b", sha256: "a".repeat(64), size: 9n, mode: 0o755 },
    ],
  );
});

test("no files are a manifest, too", () => {
  assert.equal(buildManifest([]).sha256, emptyManifestSha256);
});

test("a path that leaves its root and a digest that is none are refused", () => {
  for (const path of ["", "a.py", "./a", "../a", "/root/../../etc/passwd", "/.."]) {
    assert.throws(
      () => buildManifest([file(path)]),
      (error) => isFail(error, "invalidArgument"),
      path,
    );
  }
  for (const sha256 of ["", "a".repeat(63), "A".repeat(64), `${"a".repeat(63)}g`, `${"a".repeat(64)}\n`]) {
    assert.throws(
      () => buildManifest([file("/a", { sha256 })]),
      (error) => isFail(error, "invalidArgument"),
      sha256,
    );
  }
  assert.doesNotThrow(() => buildManifest([file("/a..b/..c")]));
});
