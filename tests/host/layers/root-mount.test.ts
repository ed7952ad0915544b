import assert from "node:assert/strict";
import { chmod, lstat, mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";

import { mostLayers } from "@lydian/worker/src/builds/step-host";

import {
  type LayersBy,
  layerOf,
  makeOpaque,
  makeWhiteout,
  mountsBelow,
  needsRoot,
  scratchFolder,
  sealDiff,
  startMounter,
  unshared,
  userNamespace,
} from "./support.ts";

const base = 5_000_000;

for (const layersBy of ["descriptors", "names"] satisfies LayersBy[]) {
  for (const mapped of [false, true]) {
    describe(`a root of layers by ${layersBy}${mapped ? ", with mapped ids" : ""}`, needsRoot, () => {
      it("stacks the layers, keeps what is written in its upper, owned by root on disk", async (t) => {
        const folder = await scratchFolder(t);
        const mounter = await startMounter(t, { layersBy });
        const idMap = mapped ? { idMap: await userNamespace(t, base) } : {};
        // Their paths together are longer than the page of options that mount(2) takes.
        const store = join(folder, ...Array.from({ length: 14 }, () => "x".repeat(200)));
        const lowers = [
          await layerOf(store, "top", { both: "top", "folder/new": "", "work/": "" }),
          await layerOf(store, "bottom", { both: "bottom", "folder/old": "", gone: "", "odd, na:me/x": "" }),
        ];
        makeWhiteout(join(store, "top"), "gone");
        makeOpaque(join(store, "top"), "folder");
        const [work, target] = [join(folder, "a, b:c"), join(folder, "merged")];
        await mkdir(target);
        await chmod(folder, 0o711);
        await mounter.mountRoot({ lowers, work, target, volatile: true, ...idMap });

        assert.deepEqual((await readdir(target)).sort(), ["both", "folder", "odd, na:me", "work"]);
        assert.deepEqual(await readdir(join(target, "folder")), ["new"]);
        assert.equal(await readFile(join(target, "both"), "utf8"), "top");
        const owner = mapped ? base : 0;
        assert.equal((await stat(target)).uid, owner);
        assert.equal((await stat(target)).mode & 0o7777, 0o755);
        assert.equal((await stat(join(target, "both"))).gid, owner);

        await rm(join(target, "both")); // leaves a whiteout, for which overlayfs needs its own folder
        const inside = await unshared(t, ...(mapped ? [`--setuid=${base}`, `--setgid=${base}`] : ["--mount"]));
        assert.equal(await inside.ask(`echo text > ${target}/written; mkdir ${target}/work/deep; echo`), "");
        const upper = join(work, "u");
        assert.equal((await lstat(join(upper, "both"))).isCharacterDevice(), true);
        assert.equal(await readFile(join(upper, "written"), "utf8"), "text\n");
        for (const name of ["written", "work/deep"]) assert.equal((await stat(join(upper, name))).uid, 0);

        const table = (await readFile("/proc/self/mountinfo", "utf8")).split("\n");
        const line = table.find((text) => text.split(" ")[4] === target) ?? "";
        assert.match(line, / rw,nodev,relatime shared:\d+ - overlay overlay rw,.*volatile/);
        assert.ok(!line.split(" - ")[1]?.includes(folder), "names no folder of the host");

        await mounter.unmount(target);
        await mounter.unmount(target);
        assert.deepEqual(await mountsBelow(folder), []);
      });

      it("takes as many layers as an image may have, and a build's own besides", async (t) => {
        const folder = await scratchFolder(t);
        const mounter = await startMounter(t, { layersBy });
        const idMap = mapped ? { idMap: await userNamespace(t, base) } : {};
        const store = join(folder, "x".repeat(200)); // their paths together are far longer than a page
        const count = mostLayers + 1;
        const lowers = await Promise.all(
          Array.from({ length: count }, (_, n) => layerOf(store, `layer-${n}`, { [`from-${n}`]: "", same: String(n) })),
        );
        const target = join(folder, "merged");
        await mkdir(target);
        await chmod(folder, 0o711);
        await mounter.mountRoot({ lowers, work: join(folder, "work"), target, volatile: true, ...idMap });
        assert.equal((await readdir(target)).length, count + 1);
        assert.equal(await readFile(join(target, "same"), "utf8"), "0", "the topmost");
        const inside = await unshared(t, ...(mapped ? [`--setuid=${base}`, `--setgid=${base}`] : ["--mount"]));
        assert.equal(await inside.ask(`rm ${target}/from-${count - 1}; echo text > ${target}/same`), "");
        assert.equal((await lstat(join(folder, `work/u/from-${count - 1}`))).isCharacterDevice(), true);
      });
    });

    describe(`an upper over layers by ${layersBy}${mapped ? ", with mapped ids" : ""}`, needsRoot, () => {
      it("can have its upper as a layer of the next root", async (t) => {
        const folder = await scratchFolder(t);
        const mounter = await startMounter(t, { layersBy });
        const target = join(folder, "merged");
        await mkdir(target);
        const bottom = await layerOf(folder, "bottom", { "d/kept": "1", "d/deleted": "1", "e/x": "1" });
        const lowers = [bottom];
        for (const [round, at] of [base, base + 65_536].entries()) {
          const idMap = mapped ? { idMap: await userNamespace(t, at) } : {};
          const work = join(folder, `work-${round}`);
          await mounter.mountRoot({ lowers, work, target, volatile: true, ...idMap });
          if (round === 0) {
            await rm(join(target, "d/deleted"));
            await rm(join(target, "e"), { recursive: true });
          }
          assert.deepEqual(await readdir(target), ["d"]);
          assert.deepEqual(await readdir(join(target, "d")), ["kept"]);
          await mounter.unmount(target);
          const diff = join(folder, `layer-${round}`);
          await rename(join(work, "u"), diff);
          sealDiff(diff);
          lowers.unshift({ id: `layer-${round}`, diff });
        }
      });
    });
  }

  describe(`the thread that mounts layers by ${layersBy}`, needsRoot, () => {
    it("leaves no thread of the process with a container's ids", async (t) => {
      const folder = await scratchFolder(t);
      const mounter = await startMounter(t, { layersBy });
      const idMap = await userNamespace(t, base);
      const lowers = [await layerOf(folder, "layer", { "root/": "" })];
      const target = join(folder, "merged");
      await mkdir(target);
      await mounter.mountRoot({ lowers, work: join(folder, "work"), target, volatile: true, idMap });
      await mounter.bind({ source: folder, root: target, path: "/made/on/the/way", readOnly: true });
      assert.equal((await stat(join(target, "made"))).uid, base);
      await Promise.all(Array.from({ length: 16 }, (_, i) => writeFile(join(folder, `file-${i}`), "")));
      for (let i = 0; i < 16; i++) assert.equal((await stat(join(folder, `file-${i}`))).uid, 0);
      for (const task of await readdir("/proc/self/task")) {
        const status = await readFile(`/proc/self/task/${task}/status`, "utf8");
        assert.match(status, /^Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0$/m);
      }
    });

    it("leaves nothing behind when it fails, and names the call, the path and the error", async (t) => {
      const folder = await scratchFolder(t);
      const mounter = await startMounter(t, { layersBy });
      const idMap = await userNamespace(t, base);
      const layer = await layerOf(folder, "layer");
      const target = join(folder, "merged");
      await mkdir(target);
      const descriptors = (await readdir("/proc/self/fd")).length;
      const missing = { id: "missing", diff: join(folder, "missing") };
      const mount = { lowers: [layer, missing], work: join(folder, "work"), target, volatile: true };
      await assert.rejects(mounter.mountRoot(mount), { path: missing.diff, code: "ENOENT" });
      await assert.rejects(mounter.mountRoot({ ...mount, idMap }), {
        message: `open_tree of ${missing.diff} failed: ENOENT (no such file or directory)`,
      });
      await assert.rejects(mounter.mountRoot({ ...mount, lowers: [] }), /needs at least one layer/);
      // The kernel refuses layers that lie in each other only when it makes the file system.
      const nested = [layer, { id: "upper", diff: join(folder, "work", "u") }];
      await assert.rejects(mounter.mountRoot({ ...mount, lowers: nested, idMap }), { code: "ELOOP" });
      await assert.rejects(
        mounter.mountRoot({ ...mount, lowers: [layer], idMap: { base, userns: "/proc/self/ns/net" } }),
        { call: "mount_setattr", path: `${layer.diff} with the ids of /proc/self/ns/net`, code: "EINVAL" },
      );
      await assert.rejects(mounter.mountRoot({ ...mount, lowers: [layer], target: join(folder, "nowhere") }), {
        code: "ENOENT",
      });
      assert.deepEqual(await mountsBelow(folder), []);
      assert.deepEqual(await readdir(join(folder, "work")), []);
      assert.equal((await readdir("/proc/self/fd")).length, descriptors);
    });
  });
}

describe("the mounter", needsRoot, () => {
  it("shows later mounts in a slave of the root", async (t) => {
    const folder = await scratchFolder(t);
    const mounter = await startMounter(t);
    const target = join(folder, "merged");
    await mkdir(target);
    const lowers = [await layerOf(folder, "layer", { "data/hidden": "" })];
    await mounter.mountRoot({ lowers, work: join(folder, "work"), target, volatile: true });
    const container = await unshared(t, "--mount", "--propagation=slave");
    const { diff: source } = await layerOf(folder, "source", { file: "later" });
    for (const path of ["/data", "/new/place"]) {
      await mounter.bind({ source, root: target, path, readOnly: true });
      assert.equal(await container.ask(`cat ${target}${path}/file; echo`), "later");
      assert.match(await container.ask(`touch ${target}${path}/file`), /Read-only file system/);
    }
    const second = join(target, "volume");
    await mkdir(second);
    await mounter.mountRoot({ lowers, work: join(folder, "volume"), target: second, volatile: true });
    assert.equal(await container.ask(`ls ${second}/data`), "hidden");
    await mounter.unmount(join(target, "data"));
    assert.equal(await container.ask(`ls ${target}/data`), "hidden");
  });

  it("takes away what is mounted below a folder, stacked and nested, and nothing else", async (t) => {
    const folder = await scratchFolder(t);
    const mounter = await startMounter(t);
    const { diff: source } = await layerOf(folder, "source", { "below/": "" });
    const [ours, other] = [join(folder, "ours"), join(folder, "ours-not")];
    const lowers = [await layerOf(folder, "layer", { "m/x/": "" })];
    let count = 0;
    for (const place of [ours, other]) {
      await mkdir(place);
      // On the folder itself; below it twice at one place; and over those.
      for (const target of [place, join(place, "m/x"), join(place, "m/x"), join(place, "m")]) {
        await mounter.mountRoot({ lowers, work: join(folder, `work-${count++}`), target, volatile: true });
        await mounter.bind({ source, root: target, path: "/a b/c", readOnly: false });
        await mounter.bind({ source, root: target, path: "/a b/c/below", readOnly: false });
      }
    }
    assert.equal((await mountsBelow(folder)).length, 24);
    await mounter.unmountBelow(ours);
    await mounter.unmountBelow(join(folder, "missing"));
    assert.deepEqual((await readdir(ours)).sort(), ["a b", "m"]); // the mount on the folder itself stays
    await mounter.unmount(ours);
    assert.deepEqual(await readdir(ours), []);
    assert.deepEqual(
      (await mountsBelow(folder)).filter((point) => !point.startsWith(other)),
      [],
    );
    assert.equal((await mountsBelow(folder)).length, 12);
  });

  it("finishes what it was asked before it closes, and refuses what comes after", async (t) => {
    const folder = await scratchFolder(t);
    const mounter = await startMounter(t);
    const target = join(folder, "merged");
    await mkdir(target);
    const lowers = [await layerOf(folder, "layer", { file: "" })];
    const mounted = mounter.mountRoot({ lowers, work: join(folder, "work"), target, volatile: false });
    await Promise.all([mounter.close(), mounter.close()]);
    await mounted;
    assert.deepEqual(await readdir(target), ["file"]);
    await assert.rejects(mounter.unmount(target), /closed/);
  });
});
