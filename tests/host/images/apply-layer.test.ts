import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { lstat, mkdir, readdir, readFile, readlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it, type TestContext } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";

import { applyLayer } from "@lydian/worker/src/images/registry/apply-layer";
import { Mounter } from "@lydian/worker/src/layers/index";
import { archive, type Entry } from "./loopback-registry.ts";
import { needsRoot, scratchFolder } from "./scratch.ts";

async function* pieces(bytes: Buffer, size = 1000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/**
 * A layer of these entries in a folder of its own, beside a stand-in for the host. Links of a hostile layer point there
 * and nowhere else: without the guard that a test is about, it must do no harm to the host itself.
 */
async function unpacked(
  t: TestContext,
  entries: readonly Entry[] | ((host: string) => readonly Entry[]),
  compression: "none" | "gzip" | "zstd" = "none",
): Promise<string> {
  const folder = await scratchFolder(t);
  const [diff, host] = [join(folder, "diff"), join(folder, "host")];
  await mkdir(diff, { mode: 0o755 });
  await mkdir(host);
  await writeFile(join(host, "passwd"), "untouched");
  const bytes = await archive(typeof entries === "function" ? entries(host) : entries);
  const packed = compression === "gzip" ? gzipSync(bytes) : compression === "zstd" ? zstdCompressSync(bytes) : bytes;
  try {
    const diffId = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
    await applyLayer(pieces(packed), { diff, diffId, signal: new AbortController().signal });
  } finally {
    assert.deepEqual((await readdir(folder)).sort(), ["diff", "host"]);
    assert.deepEqual(await readdir(host), ["passwd"]);
    assert.equal(await readFile(join(host, "passwd"), "utf8"), "untouched");
  }
  return diff;
}

const file = (name: string, content = name): Entry => ({ name, content, mode: 0o644 });
const folder = (name: string, mode = 0o755): Entry => ({ name, type: "directory", mode });
const symbolic = (name: string, linkname: string): Entry => ({ name, type: "symlink", linkname });
const hard = (name: string, linkname: string): Entry => ({ name, type: "link", linkname });

for (const compression of ["none", "gzip", "zstd"] as const) {
  it(`is unpacked from ${compression}, with modes, owners, times and links`, needsRoot, async (t) => {
    const long = `deep/${"very-long-name/".repeat(12)}end`;
    const diff = await unpacked(
      t,
      [
        folder("./"),
        folder("bin/", 0o1777),
        { name: "bin/tool", content: "#!", mode: 0o4755, uid: 12, gid: 34 },
        hard("bin/second", "bin/tool"),
        symbolic("bin/link", "/bin/tool"),
        file("./etc/conf"),
        file(long),
        { ...file("großes-ä"), content: "x".repeat(100_000) },
      ],
      compression,
    );
    const tool = await lstat(join(diff, "bin/tool"));
    assert.deepEqual([tool.mode & 0o7777, tool.uid, tool.gid, tool.mtimeMs], [0o4755, 12, 34, 1_600_000_000_000]);
    assert.equal((await lstat(join(diff, "bin/second"))).ino, tool.ino);
    assert.equal(await readlink(join(diff, "bin/link")), "/bin/tool");
    const bin = await lstat(join(diff, "bin"));
    assert.deepEqual([bin.mode & 0o7777, bin.mtimeMs], [0o1777, 1_600_000_000_000]);
    assert.equal(await readFile(join(diff, long), "utf8"), long);
    assert.equal((await lstat(join(diff, "großes-ä"))).size, 100_000);
    assert.equal((await lstat(join(diff, "etc"))).mode & 0o7777, 0o755);
  });
}

it("takes the last of several entries with one name", needsRoot, async (t) => {
  const diff = await unpacked(t, [
    file("a", "first"),
    file("a", "second"),
    folder("b/"),
    file("b/inner"),
    file("b", "a file now"),
    symbolic("c", "a"),
    file("c", "not through the link"),
    file("d"),
    folder("d/"),
    file("d/inner"),
    hard("a2", "a"),
    file("a2", "a file of its own"),
  ]);
  const text = (name: string): Promise<string> => readFile(join(diff, name), "utf8");
  assert.equal(await text("a"), "second");
  assert.equal(await text("b"), "a file now");
  assert.equal(await text("c"), "not through the link");
  assert.equal(await text("d/inner"), "d/inner");
  assert.equal(await text("a2"), "a file of its own");
});

it("follows links inside the layer alone, wherever they point", needsRoot, async (t) => {
  let outside = "";
  const diff = await unpacked(t, (host) => {
    outside = host;
    return [
      folder("usr/lib/"),
      symbolic("lib", "usr/lib"),
      file("lib/through-relative"),
      symbolic("usr/up", "../../host"),
      folder("host/"),
      file("usr/up/through-up"),
      symbolic("abs", host),
      file("abs/through-absolute"),
      file("abs/passwd", "not the host's"),
      hard("second", "abs/passwd"),
      symbolic("out", ".."),
      file("out/climbed"),
    ];
  });
  assert.deepEqual(await readdir(join(diff, "usr/lib")), ["through-relative"]);
  assert.equal(await readFile(join(diff, "host/through-up"), "utf8"), "usr/up/through-up");
  assert.deepEqual((await readdir(join(diff, outside))).sort(), ["passwd", "through-absolute"]);
  assert.equal(await readFile(join(diff, "second"), "utf8"), "not the host's");
  assert.equal(await readFile(join(diff, "climbed"), "utf8"), "out/climbed");
});

it("refuses what would lead out of it or means nothing", needsRoot, async (t) => {
  const cases: [string, readonly Entry[]][] = [
    ["it leads out of the layer", [file("../host/passwd", "changed")]],
    ["it leads out of the layer", [file("a/../../host/passwd", "changed")]],
    ["it leads out of the layer", [hard("a", "../host/passwd")]],
    ["it leads out of the layer", [file(".wh.x/../../host/passwd")]],
    ["which is no file of this layer", [hard("a", "/host/passwd")]],
    ["which is no file of this layer", [folder("d/"), hard("a", "d")]],
    ["a circle of links", [symbolic("a", "b"), symbolic("b", "a"), file("a/x")]],
    ["a is no folder", [file("a"), file("a/x")]],
    ["a whiteout without a name", [file("d/.wh.")]],
    ["a whiteout without a name", [file(".wh...")]],
  ];
  for (const [why, entries] of cases) {
    await assert.rejects(unpacked(t, entries), (error: Error) => error.message.includes(why), why);
  }
});

it("hard-links a symbolic link, not what it points to", needsRoot, async (t) => {
  let target = "";
  const diff = await unpacked(t, (host) => {
    target = join(host, "passwd");
    return [symbolic("passwd", target), hard("again", "passwd")];
  });
  assert.equal(await readlink(join(diff, "again")), target);
});

it("passes over devices and fails on half an archive", needsRoot, async (t) => {
  const diff = await unpacked(t, [{ name: "dev/sda", type: "block-device", devmajor: 8, devminor: 0 }, file("a")]);
  assert.deepEqual(await readdir(diff, { recursive: true }), ["a", "dev"]);
  const signal = new AbortController().signal;
  const half = (await archive([{ ...file("a"), content: "x".repeat(5000) }])).subarray(0, 2000);
  const apply = (bytes: Buffer, diffId?: string): Promise<void> =>
    applyLayer(pieces(bytes), { diff: join(diff, "dev"), diffId, signal });
  await assert.rejects(apply(half), /it ends in the middle of an entry/);
  await assert.rejects(apply(gzipSync(half).subarray(0, 30)), /the layer is damaged: unexpected end of file/);
  await assert.rejects(apply(zstdCompressSync(randomBytes(2000)).subarray(0, 1000)), /is damaged/);
  await assert.rejects(apply(randomBytes(2000)), /is damaged or of another kind/);
  const other = `sha256:${"0".repeat(64)}`;
  await assert.rejects(apply(await archive([file("b")]), other), /is unpacked something else than its image says/);
});

it("hides in an overlay what its whiteouts name", needsRoot, async (t) => {
  const lower = await unpacked(t, [
    file("gone"),
    file("kept"),
    file("opaque/lower"),
    file("merged/lower"),
    file("merged/gone"),
    file("replaced/lower"),
    file("emptied/lower"),
  ]);
  const upper = await unpacked(t, [
    file(".wh.gone", ""),
    file("opaque/.wh..wh..opq", ""),
    file("opaque/upper"),
    file("merged/upper"),
    file("merged/.wh.gone", ""),
    file("merged/.wh..wh.plnk", ""),
    file(".wh.replaced", ""),
    file("replaced/upper"),
    file("emptied/upper"),
    file(".wh.emptied", ""),
  ]);
  const place = await scratchFolder(t);
  const mounter = await Mounter.start();
  const target = join(place, "merged");
  await mkdir(target);
  try {
    const lowers = [upper, lower].map((diff, index) => ({ id: String(index), diff }));
    await mounter.mountRoot({ lowers, work: join(place, "work"), target, volatile: true });
    assert.deepEqual((await readdir(target)).sort(), ["emptied", "kept", "merged", "opaque", "replaced"]);
    assert.deepEqual(await readdir(join(target, "opaque")), ["upper"]);
    assert.deepEqual((await readdir(join(target, "merged"))).sort(), ["lower", "upper"]);
    // A whiteout speaks of the layers below, whichever of the two entries comes first.
    assert.deepEqual(await readdir(join(target, "replaced")), ["upper"]);
    assert.deepEqual(await readdir(join(target, "emptied")), ["upper"]);
  } finally {
    await mounter.unmount(target);
    await mounter.close();
  }
});
