/** What of a container's files others see after a commit, on the same worker, which has them already, and on another. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  closeSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { textOfName } from "@lydian/kit";

import { needsRoot, VolumeRig } from "./support.ts";

test(
  "content, modes, times of files and links are kept; owners, attributes, pipes and shared names are not",
  needsRoot,
  async () => {
    await using rig = await VolumeRig.open();
    const one = await rig.begin();
    const others = [await rig.begin(), await rig.begin(undefined, await rig.anotherWorker())];
    const at = (name: string): string => join(one.data, name);
    mkdirSync(at("folder"));
    chmodSync(at("folder"), 0o2750);
    for (const name of ["plain", "owned", "named", "sparse", "folder/deep"]) writeFileSync(at(name), name);
    chmodSync(at("plain"), 0o4711);
    utimesSync(at("plain"), 1_000_000_000, 1_000_000_000.25);
    chownSync(at("owned"), 1000, 1000);
    chmodSync(at("owned"), 0o600);
    linkSync(at("named"), at("other name"));
    symlinkSync("/anywhere", at("link"));
    truncateSync(at("sparse"), 20_000_000);
    const attribute = (file: string): string =>
      execFileSync("python3", ["-c", "import os, sys; print(os.listxattr(sys.argv[1]))", file], {
        encoding: "utf8",
      }).trim();
    execFileSync("python3", ["-c", "import os, sys; os.setxattr(sys.argv[1], 'user.mine', b'1')", at("folder/deep")]);
    execFileSync("mkfifo", [at("pipe")]);
    await one.volume.commit();

    for (const other of others) {
      await other.volume.reload();
      const there = (name: string): string => join(other.data, name);
      const stats = statSync(there("plain"));
      assert.deepEqual([stats.mode & 0o7777, stats.mtimeMs], [0o4711, 1_000_000_000_250]);
      assert.equal(statSync(there("folder")).mode & 0o7777, 0o2750);
      const { uid, gid, mode } = statSync(there("owned"));
      assert.deepEqual([uid, gid, mode & 0o7777], [0, 0, 0o600]);
      assert.equal(readFileSync(there("other name"), "utf8"), "named");
      writeFileSync(there("other name"), "changed");
      assert.equal(readFileSync(there("named"), "utf8"), "named");
      assert.equal(readlinkSync(there("link")), "/anywhere");
      assert.equal(statSync(there("sparse")).size, 20_000_000);
      assert.ok(statSync(there("sparse")).blocks * 512 < 1_000_000, "it has no hole any more");
      assert.equal(attribute(there("folder/deep")), "[]");
      assert.throws(() => lstatSync(there("pipe")), { code: "ENOENT" });
    }
    // Its own container sees all of that as it was, until it reloads.
    assert.equal(statSync(at("owned")).uid, 1000);
    assert.equal(attribute(at("folder/deep")), "['user.mine']");
    assert.ok(lstatSync(at("pipe")).isFIFO());
  },
);

/** Each character of a name is a byte. */
test("names are kept byte by byte, UTF-8 or not", needsRoot, async () => {
  await using rig = await VolumeRig.open();
  const one = await rig.begin();
  const others = [await rig.begin(), await rig.begin(undefined, await rig.anotherWorker())];
  const at = (data: string, ...names: string[]): Buffer => Buffer.from([data, ...names].join("/"), "latin1");
  const there = (data: string): string[] =>
    readdirSync(at(data), { recursive: true, encoding: "buffer" })
      .map((name) => name.toString("latin1"))
      .toSorted();
  const write = (...names: string[]): void => writeFileSync(at(one.data, ...names), names.join("/"));
  const shown = async (names: string[]): Promise<void> => {
    await one.volume.commit();
    for (const { data, volume } of others) {
      await volume.reload();
      assert.deepEqual(there(data), names.toSorted());
    }
    const files = names.filter((name) => !/folder[^/]*$/.test(name));
    assert.deepEqual(
      (await rig.files()).toSorted(),
      files.map((name) => textOfName(Buffer.from(name, "latin1"))).toSorted(),
    );
  };
  mkdirSync(at(one.data, "folder \xff"));
  const odd = ["new\nline", " ", "-r", "*", '"', "\\", "\xf4\x8f\xba\x80", "\xe9", "\xc3\xa9", "\xff".repeat(255)];
  for (const name of ["plain", "a\xff", "folder \xff/in\xfe", ...odd]) write(name);
  symlinkSync(Buffer.from("\xff\xfe", "latin1"), at(one.data, "link \xff"));
  const all = ["plain", "a\xff", "folder \xff", "folder \xff/in\xfe", "link \xff", ...odd];
  await shown(all);
  assert.equal(readFileSync(at(others[1]?.data ?? "", "folder \xff", "in\xfe"), "utf8"), "folder \xff/in\xfe");
  for (const { data } of others) {
    assert.deepEqual(readlinkSync(at(data, "link \xff"), "buffer"), Buffer.from("\xff\xfe", "latin1"));
  }
  // A folder of an earlier state is renamed, what is in it and beside it goes, large files come.
  renameSync(at(one.data, "folder \xff"), at(one.data, "other folder"));
  rmSync(at(one.data, "a\xff"));
  writeFileSync(at(one.data, "large \xff"), Buffer.alloc(9_000_000, 1));
  await shown(["plain", "large \xff", "other folder", "other folder/in\xfe", "link \xff", ...odd]);
  await one.volume.reload();
  renameSync(at(one.data, "other folder"), at(one.data, "\xfd folder"));
  rmSync(at(one.data, "\xfd folder", "in\xfe"));
  await shown(["plain", "large \xff", "\xfd folder", "link \xff", ...odd]);
});

test("a path that is too long is named by the commit that it keeps from being made", needsRoot, async () => {
  await using rig = await VolumeRig.open();
  const one = await rig.begin();
  using _deep = { [Symbol.dispose]: () => execFileSync("rm", ["-rf", join(one.folder, "uppers", "0", "u")]) };
  writeFileSync(join(one.data, "plain"), "plain");
  const code = "import os, sys\nos.chdir(sys.argv[1])\nfor _ in range(25): os.mkdir('x' * 200); os.chdir('x' * 200)";
  execFileSync("python3", ["-c", code, one.data]);
  await assert.rejects(one.volume.commit(), /begins with "x{100}" is longer than one in a volume can be/);
  assert.deepEqual(await rig.files(), []);
  execFileSync("rm", ["-r", join(one.data, "x".repeat(200))]);
  await one.volume.commit();
  assert.deepEqual(await rig.files(), ["plain"]);
  // What is gone is no longer said, also while a file is in use.
  const open = openSync(join(one.data, "plain"), "r");
  writeFileSync(join(one.data, "other"), "other");
  await one.volume.commit();
  closeSync(open);
  writeFileSync(join(one.data, "third"), "third");
  await one.volume.commit();
  await one.volume.idle();
  assert.deepEqual(await rig.files(), ["other", "plain", "third"]);
});
