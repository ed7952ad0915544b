/** A worker that dies in the middle of a commit or a reload: the next one finishes it, and nothing is lost or done twice. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, copyFileSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";

import { createLogger } from "@lydian/kit";
import { deleteVolume } from "@lydian/server/src/volumes/manage";
import type { Mounter } from "@lydian/worker/src/layers/index";
import type { MountedVolumeDeps } from "@lydian/worker/src/volumes/mounted-volume";
import type { VolumeServer } from "@lydian/worker/src/volumes/volume-server";

import { Death, dying } from "./dying.ts";
import { needsRoot, type TestContainer, VolumeRig } from "./support.ts";

const read = (container: TestContainer, name: string): string => readFileSync(join(container.data, name), "utf8");
const write = (container: TestContainer, name: string, text: string): void =>
  writeFileSync(join(container.data, name), text);

const twoPoints = [
  { path: "/data", readOnly: false, subPath: "" },
  { path: "/other", readOnly: true, subPath: "" },
];

/** What a reload does, in its order: first it commits. */
const steps = ["it seals the upper", "it mounts the new state"].flatMap((what, i) => [
  { call: i + 1, when: "before" as const, what: `before ${what}` },
  { call: i + 1, when: "after" as const, what: `after ${what}` },
]);

describe("a death in a reload", needsRoot, () => {
  for (const { call, when, what } of steps) {
    it(`${what} leaves the container with a whole state, and it goes on`, async () => {
      await using rig = await VolumeRig.open();
      const [one, two] = [await rig.begin(twoPoints), await rig.begin()];
      write(one, "mine", "1");
      write(two, "theirs", "2");
      await two.volume.commit();
      const deps = { ...rig.deps, mounter: dying<Mounter>(rig.deps.mounter, ["swap"], call, when) };
      await one.restart(deps);
      await assert.rejects(one.volume.reload(), Death);
      await one.restart();
      assert.equal(read(one, "mine"), "1");
      assert.equal(readFileSync(join(one.folder, "root", "other", "mine"), "utf8"), "1");
      await one.volume.reload();
      assert.equal(read(one, "theirs"), "2");
      assert.equal(readFileSync(join(one.folder, "root", "other", "theirs"), "utf8"), "2");
      assert.throws(() => writeFileSync(join(one.folder, "root", "other", "x"), ""), { code: "EROFS" });
      assert.deepEqual(await rig.files(), ["mine", "theirs"]);
    });
  }
});

describe("a death in a commit", needsRoot, () => {
  for (const when of ["before", "after"] as const) {
    it(`${when} the server has it leaves it to be made, once`, async () => {
      await using rig = await VolumeRig.open();
      const [one, two] = [await rig.begin(), await rig.begin()];
      write(one, "both", "one");
      await one.restart({ ...rig.deps, server: dying<VolumeServer>(rig.deps.server, ["commit"], 1, when) });
      await assert.rejects(one.volume.commit(), Death);
      if (when === "after") {
        // Whoever comes last wins, and that is not a commit that is repeated.
        await two.volume.reload();
        write(two, "both", "two");
        await two.volume.commit();
      }
      await one.restart();
      await one.volume.commit();
      await two.volume.reload();
      assert.equal(read(two, "both"), when === "after" ? "two" : "one");
    });
  }
});

describe("a commit that has returned and is not made yet", needsRoot, () => {
  const owedFrom = { bytes: 0, paths: 0 };
  const goAway = (deps: MountedVolumeDeps): MountedVolumeDeps => ({
    ...deps,
    logger: createLogger("test", "error"),
    server: dying<VolumeServer>(deps.server, ["commit"], 1, "before"),
  });

  it("is made by the next worker, and nobody sees the volume before", async () => {
    await using rig = await VolumeRig.open({ owedFrom });
    const [one, two] = [await rig.begin(), await rig.begin()];
    await one.restart(goAway(rig.deps));
    write(one, "mine", "1");
    await one.volume.commit();
    await one.volume.idle();
    const reloaded = two.volume.reload();
    const isSeen = await Promise.race([reloaded.then(() => true), one.volume.idle().then(() => false)]);
    assert.equal(isSeen, false);
    await one.restart();
    await reloaded;
    assert.equal(read(two, "mine"), "1");
  });

  it("is forgotten with a volume that is deleted", async () => {
    await using rig = await VolumeRig.open({ owedFrom });
    const one = await rig.begin();
    await one.restart(goAway(rig.deps));
    write(one, "mine", "1");
    await one.volume.commit();
    await one.volume.idle();
    await rig.store.write((tx) => deleteVolume(tx, rig.volumeId));
    await one.restart({ ...rig.deps, logger: createLogger("test", "error") });
    await one.volume.idle();
    assert.equal(rig.deps.trees.owedBy(one.id, rig.volumeId), undefined);
  });
});

describe("a reload", needsRoot, () => {
  it("with an open file is refused, names it, and leaves all points as they were", async () => {
    await using rig = await VolumeRig.open();
    const [one, two] = [await rig.begin(twoPoints), await rig.begin()];
    write(one, "log", "1");
    write(two, "theirs", "2");
    await two.volume.commit();
    const open = openSync(join(one.data, "log"), "r");
    await assert.rejects(one.volume.reload(), /open files preventing the operation: .*log is open in ".*node/);
    assert.equal(readFileSync(join(one.folder, "root", "other", "log"), "utf8"), "1");
    closeSync(open);
    await one.volume.reload();
    assert.equal(read(one, "theirs"), "2");
  });

  it("is refused while a file is mapped, also with nothing new to show", async () => {
    await using rig = await VolumeRig.open();
    const one = await rig.begin();
    copyFileSync("/bin/sleep", join(one.data, "program"));
    const program = spawn(join(one.data, "program"), ["600"]);
    const ended = once(program, "exit");
    try {
      await once(program, "spawn");
      one.processes.push(program.pid ?? 0);
      const refused = /open files preventing the operation: .*program is mapped by ".*program 600"/;
      await assert.rejects(one.volume.reload(), refused);
    } finally {
      program.kill("SIGKILL");
    }
    await ended;
    await one.volume.reload();
    assert.deepEqual(await rig.files(), ["program"]);
  });
});

describe("a commit", needsRoot, () => {
  it("beside which a large file is written leaves that for another one", async () => {
    await using rig = await VolumeRig.open();
    const one = await rig.begin();
    const open = openSync(join(one.data, "large"), "w"); // so that the upper cannot be sealed
    writeFileSync(open, Buffer.alloc(20 * 2 ** 20, "a"));
    write(one, "small", "1");
    let standsStill = 0;
    one.freezing = () => {
      standsStill++;
      writeFileSync(open, "more");
    };
    await one.volume.commit();
    assert.deepEqual(await rig.files(), ["small"]);
    assert.ok(standsStill > 1);
    one.freezing = () => {};
    await one.volume.commit();
    assert.deepEqual(await rig.files(), ["large", "small"]);
    one.freezing = () => writeFileSync(open, "yet more");
    write(one, "small", "2");
    await one.volume.commit(); // the large one is as it was published
    closeSync(open);
    one.freezing = () => {};
    const two = await rig.begin();
    assert.equal(read(two, "small"), "2");
    assert.match(read(two, "large").slice(20 * 2 ** 20), /^(more)+$/);
    await one.volume.commit();
    await two.volume.reload();
    assert.match(read(two, "large").slice(20 * 2 ** 20), /yet more$/);
  });
});
