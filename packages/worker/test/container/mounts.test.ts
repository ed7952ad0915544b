import assert from "node:assert/strict";
import { it } from "node:test";

import { create } from "@bufbuild/protobuf";
import * as wire from "@lydian/contract/worker";

import { planFiles } from "../../src/container/mounts.ts";

const host = (path: string): string => `/host${path}`;

function manifest(...files: { path: string; sha256?: string; mode?: number }[]): wire.Manifest {
  return create(wire.ManifestSchema, { files: files.map((file) => ({ sha256: "", size: 0n, mode: 0, ...file })) });
}

it("maps paths and modes; a later mount wins", () => {
  const files = planFiles(
    [
      manifest({ path: "/root/a.py", sha256: "1" }, { path: "/root/run.sh", sha256: "2", mode: 0o104755 }),
      manifest({ path: "/root/a.py", sha256: "3" }),
    ],
    host,
  );
  assert.deepEqual(files, [
    { hostPath: "/host/root/a.py", sha256: "3", mode: 0o644 },
    { hostPath: "/host/root/run.sh", sha256: "2", mode: 0o755 },
  ]);
});

it("refuses every path that is not absolute and plain", () => {
  const paths = [
    "",
    "/",
    "root/a",
    "/root/../etc/passwd",
    "/root/..",
    "/root/./a",
    "/root//a",
    "/root/a/",
    "/root/\0",
    "..",
  ];
  for (const path of paths) assert.throws(() => planFiles([manifest({ path })], host), /not absolute and plain/, path);
});
