/** What of a container's files others see after a commit, on the same worker, which has them already, and on another. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

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
