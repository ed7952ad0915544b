/** A container that commits again and again while others do, and never reloads. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { needsRoot, VolumeRig } from "./support.ts";

test(
  "each commit is a seal, however many others' come between, and it sees its own files alone",
  needsRoot,
  async () => {
    await using rig = await VolumeRig.open();
    const first = await rig.begin();
    const base = (path: string): string => join(first.data, path);
    for (const folder of ["kept", "gone", "moved"]) {
      mkdirSync(base(folder));
      for (const name of ["a", "b"]) writeFileSync(join(base(folder), name), `${folder} ${name}`);
    }
    await first.volume.commit();
    const one = await rig.begin();
    const other = await rig.begin();
    const at = (path: string): string => join(one.data, path);
    const acts = [
      () => renameSync(at("moved"), at("elsewhere")),
      () => rmSync(at("gone"), { recursive: true }),
      () => writeFileSync(at("gone"), "a file now"),
      () => rmSync(at("kept/a")),
      () => writeFileSync(at("elsewhere/a"), "changed where it is"),
      () => {
        rmSync(at("gone"));
        mkdirSync(at("gone"));
        writeFileSync(at("gone/new"), "a folder again");
      },
    ];
    const check = (): void => {
      assert.deepEqual(readdirSync(at("gone")), ["new"]);
      assert.deepEqual(readdirSync(at("kept")), ["b"]);
      assert.deepEqual(readdirSync(at("elsewhere")).toSorted(), ["a", "b"]);
      assert.equal(readFileSync(at("elsewhere/a"), "utf8"), "changed where it is");
      assert.equal(readFileSync(at("elsewhere/b"), "utf8"), "moved b");
      assert.ok(!existsSync(at("moved")) && !existsSync(at("others")));
    };
    for (let i = 0; i < 16; i++) {
      writeFileSync(join(other.data, "others"), `${i}`);
      await other.volume.commit();
      acts[i]?.();
      writeFileSync(at("counter"), `${i}`);
      writeFileSync(at(`file-${i}`), `${i}`);
      const { upper } = one.volume.record.mounted;
      await one.volume.commit();
      const { mounted } = one.volume.record;
      assert.ok(mounted.upper > upper && mounted.sealed.includes(upper), `commit ${i} was no seal`);
      assert.ok(mounted.sealed.length <= 8);
      if (i >= acts.length) check();
      for (let before = 0; before <= i; before++) assert.equal(readFileSync(at(`file-${before}`), "utf8"), `${before}`);
    }
    await one.restart();
    check();
    assert.ok(readdirSync(join(one.folder, "uppers")).length <= 12, "uppers are left that nothing shows");
    await one.volume.reload();
    assert.equal(readFileSync(at("others"), "utf8"), "15");
    assert.equal(readFileSync(at("counter"), "utf8"), "15");
    assert.deepEqual(readdirSync(at("gone")), ["new"]);
  },
);
