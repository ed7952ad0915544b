import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { lstat, mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";

import {
  type IdMap,
  layerOf,
  type Mounter,
  mountsBelow,
  needsRoot,
  scratchFolder,
  startMounter,
  userNamespace,
} from "./support.ts";

const base = 5_000_000;

interface Stage {
  readonly folder: string;
  readonly mounter: Mounter;
  /** The root's mount. */
  readonly root: string;
  /** What must never change: a stand-in for the host, outside the root. */
  readonly host: string;
  readonly source: string;
  readonly file: string;
}

/** A root whose image is hostile: `links` are symbolic links in it. */
async function stage(t: TestContext, links: (host: string) => Record<string, string>, idMap?: IdMap): Promise<Stage> {
  const folder = await scratchFolder(t);
  const mounter = await startMounter(t);
  const { diff: host } = await layerOf(folder, "host", { "data/names": "host" });
  const { diff: source } = await layerOf(folder, "source", { "sub/deep": "source" });
  const file = join(folder, "file");
  await writeFile(file, "file");
  const layer = await layerOf(folder, "image", { "image/names": "image", "run/": "", "taken/": "" });
  for (const [name, to] of Object.entries(links(host))) await symlink(to, join(layer.diff, name));
  const root = join(folder, "root");
  await mkdir(root);
  const mapped = idMap === undefined ? {} : { idMap };
  await mounter.mountRoot({ lowers: [layer], work: join(folder, "work"), target: root, volatile: true, ...mapped });
  return { folder, mounter, root, host, source, file };
}

async function assertHostUntouched({ folder, host }: Stage): Promise<void> {
  assert.deepEqual(await readdir(host, { recursive: true }), ["data", "data/names"]);
  assert.equal(await readFile(join(host, "data/names"), "utf8"), "host");
  const outside = (await mountsBelow(folder)).filter((point) => !/\/(root|run)(\/|$)/.test(point));
  assert.deepEqual(outside, []);
}

/** Puts a link to `host` in the place of a folder of the root that is there, and of one that is being made, without pause. */
async function race(root: string, host: string): Promise<{ end: () => Promise<void> }> {
  const script = `const fs = require("node:fs");
    const attempt = (work) => { try { work(); } catch {} };
    console.log("racing");
    for (let i = 0; ; i++) {
      for (const name of ["image", "image/new"]) {
        attempt(() => fs.renameSync(name, "aside-" + i));
        attempt(() => fs.symlinkSync(process.argv[1], name));
        attempt(() => fs.unlinkSync(name));
        attempt(() => fs.renameSync("aside-" + i, name));
      }
    }`;
  const racer = spawn(process.execPath, ["-e", script, host], { cwd: root, stdio: ["ignore", "pipe", "inherit"] });
  const gone = once(racer, "exit");
  await once(racer.stdout, "data");
  return {
    async end() {
      racer.kill("SIGKILL");
      await gone;
    },
  };
}

describe("a bind mount", needsRoot, () => {
  it("follows links of the image inside the root only", async (t) => {
    const scene = await stage(t, (host) => ({
      evil: host,
      up: `${"../".repeat(20)}${host}`,
      "image/up": `..${host}`,
      "image/back": "../..",
    }));
    const { mounter, root, source, folder, host } = scene;
    // Where each path must end, seen from the root.
    const ends: Record<string, string> = {
      "/evil/data/first": `${host}/data/first`,
      "/up/data/second": `${host}/data/second`,
      "/image/up/data": `${host}/data`,
      "/image/back/third": "/third",
    };
    for (const [path, end] of Object.entries(ends)) {
      await mounter.bind({ source, root, path, readOnly: true });
      assert.equal(await readFile(join(root, end, "sub/deep"), "utf8"), "source", path);
    }
    assert.equal((await mountsBelow(folder)).length, 1 + Object.keys(ends).length);
    await assertHostUntouched(scene);
  });

  it("makes the folders and files that are missing, also behind links to nothing", async (t) => {
    const scene = await stage(t, (host) => ({
      "image/resolv.conf": "../run/stub/resolv.conf",
      nowhere: `${host}/not-there`,
      first: "second",
      second: "third/x/../y",
    }));
    const { mounter, root, source, file, host } = scene;
    const umask = process.umask(0o077);
    t.after(() => process.umask(umask));
    await mounter.bind({ source, root, path: "/image/b/c", readOnly: true });
    await mounter.bind({ source: file, root, path: "/image/resolv.conf", readOnly: true });
    await mounter.bind({ source: file, root, path: "/image/names", readOnly: true });
    await mounter.bind({ source: file, root, path: "/nowhere/file", readOnly: true });
    assert.equal(await readFile(join(root, "image/b/c/sub/deep"), "utf8"), "source");
    assert.equal((await stat(join(root, "image/b"))).mode & 0o7777, 0o755);
    assert.equal(await readFile(join(root, "run/stub/resolv.conf"), "utf8"), "file");
    assert.equal(await readFile(join(root, "image/names"), "utf8"), "file");
    assert.equal(await readFile(join(root, host, "not-there/file"), "utf8"), "file");
    // Parts of a link's target that are not there cannot be gone back through.
    await assert.rejects(mounter.bind({ source, root, path: "/first", readOnly: true }), /leads nowhere/);
    await assertHostUntouched(scene);
  });
});

describe("a bind mount of any kind", needsRoot, () => {
  it("refuses paths that are no paths, links in circles, and a file where a folder is", async (t) => {
    const scene = await stage(t, () => ({ circle: "circle", one: "two", two: "one" }));
    const { mounter, root, source, file, folder } = scene;
    for (const path of ["", "/", "relative", "/..", "/a/../../b", "/a//b", "/a/./b", "/a/", "/a\0b"]) {
      await assert.rejects(mounter.bind({ source, root, path, readOnly: true }), /not absolute and plain/, path);
    }
    for (const path of ["/circle", "/one/x"]) {
      await assert.rejects(mounter.bind({ source, root, path, readOnly: true }), { call: "openat2", code: "ELOOP" });
    }
    await assert.rejects(mounter.bind({ source: file, root, path: "/taken", readOnly: true }), /is a folder/);
    await assert.rejects(mounter.bind({ source, root, path: "/image/names", readOnly: true }), /is a file/);
    await assert.rejects(mounter.bind({ source, root, path: "/image/names/x", readOnly: true }), { code: "ENOTDIR" });
    await assert.rejects(mounter.bind({ source: `${source}-not`, root, path: "/x", readOnly: true }), {
      message: `open_tree of ${source}-not failed: ENOENT (no such file or directory)`,
    });
    assert.deepEqual(await mountsBelow(folder), [root]);
    await assert.rejects(lstat(join(root, "x")), { code: "ENOENT" });
  });

  it("is read-only or not, without set-uid and devices, and shows ids mapped", async (t) => {
    const idMap = await userNamespace(t, base);
    const scene = await stage(t, () => ({}), idMap);
    const { mounter, root, source, file } = scene;
    await mounter.bind({ source, root, path: "/mapped/here", readOnly: false, idMap });
    await mounter.bind({ source, root, path: "/plain", readOnly: true });
    await mounter.bind({ source: file, root, path: "/file", readOnly: true, idMap });
    assert.equal((await stat(join(root, "mapped"))).uid, base);
    assert.equal((await stat(join(root, "mapped/here/sub"))).uid, base);
    assert.equal((await stat(join(root, "plain/sub"))).uid, 0);
    assert.equal((await stat(join(root, "file"))).gid, base);
    await writeFile(join(root, "mapped/here/sub/deep"), "changed");
    assert.equal(await readFile(join(source, "sub/deep"), "utf8"), "changed");
    await assert.rejects(writeFile(join(root, "plain/new"), ""), { code: "EROFS" });
    await assert.rejects(writeFile(join(root, "file"), ""), { code: "EROFS" });
    const lines = (await readFile("/proc/self/mountinfo", "utf8")).split("\n");
    for (const [path, access] of Object.entries({ "mapped/here": "rw", plain: "ro", file: "ro" })) {
      const line = lines.find((text) => text.split(" ")[4] === join(root, path));
      assert.match(line ?? "", new RegExp(` ${access},nosuid,nodev,`), path);
    }
  });

  it("never leaves the root while a process in it exchanges folders for links", async (t) => {
    const scene = await stage(t, () => ({}));
    const { mounter, root, host, source, folder } = scene;
    const racer = await race(root, host);
    let [mounted, refused] = [0, 0];
    try {
      for (let round = 0; round < 1000; round++) {
        try {
          await mounter.bind({ source, root, path: `/image/new/data-${round}/x`, readOnly: true });
          mounted++;
        } catch (error) {
          assert.match(String(error), /ENOENT|ELOOP|ENOTDIR|EEXIST|EAGAIN|cannot be mounted on/);
          refused++;
        }
      }
    } finally {
      await racer.end();
    }
    t.diagnostic(`${mounted} mounted, ${refused} refused`);
    assert.ok(mounted > 0);
    await assertHostUntouched(scene);
    await mounter.unmount(root);
    assert.deepEqual(await mountsBelow(folder), []);
  });
});

describe("a tree that is shown", needsRoot, () => {
  it("is whole folders where the root has none, else what is in them, wherever links lead", async (t) => {
    const idMap = await userNamespace(t, base);
    const scene = await stage(t, () => ({ link: "image" }), idMap);
    const { mounter, root, folder } = scene;
    const files = ["image/new/a/deep", "image/names", "link/beside", "other/file", "run/below/file"];
    const { diff: source } = await layerOf(folder, "tree", Object.fromEntries(files.map((name) => [name, "shown"])));
    await mounter.bind({ source: scene.source, root, path: "/run", readOnly: false, idMap });
    await mounter.show({ source, root, idMap });
    const shown = ["image/new", "image/names", "image/beside", "other"];
    const points = (await mountsBelow(root)).map((point) => point.slice(root.length + 1)).filter((name) => name !== "");
    assert.deepEqual(points.sort(), [...shown, "run"].sort());
    for (const name of files.slice(0, 4)) {
      assert.equal(await readFile(join(root, name), "utf8"), "shown");
      await assert.rejects(writeFile(join(root, name), ""), { code: "EROFS" });
      assert.equal((await stat(join(root, name))).uid, base);
    }
    assert.deepEqual(await readdir(join(root, "run")), ["sub"], "what is mounted hides what would lie below it");
    await assertHostUntouched(scene);
  });

  it("refuses a folder where the root has a file", async (t) => {
    const { mounter, root, folder } = await stage(t, () => ({}));
    const { diff: source } = await layerOf(folder, "tree", { "image/names/x": "" });
    await assert.rejects(mounter.show({ source, root }), /\/image\/names is a file in the image/);
  });
});
