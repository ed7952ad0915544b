import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";

import {
  type Layer,
  LayerStore,
  layerOf,
  mountsBelow,
  needsRoot,
  scratchFolder,
  startMounter,
  userNamespace,
} from "./support.ts";

describe("the layer store with mounts", needsRoot, () => {
  it("keeps what a container wrote as a layer, without the marks of its mount", async (t) => {
    const folder = await scratchFolder(t);
    const mounter = await startMounter(t);
    const store = await LayerStore.open(join(folder, "layers"));
    const idMap = await userNamespace(t, 5_000_000);
    const target = join(folder, "merged");
    await mkdir(target);
    const bottom = await store.make("bottom", async (diff) => {
      await layerOf(diff, ".", { "d/deleted": "1", "d/kept": "1" });
    });
    const step = (id: string, lowers: readonly Layer[], work: () => Promise<void>): Promise<Layer> =>
      store.make(id, async (diff, scratch) => {
        await mounter.mountRoot({ lowers, work: scratch, target, idMap, volatile: true });
        await work();
        await mounter.unmount(target);
        await rename(join(scratch, "u"), diff);
      });
    const first = await step("first", [bottom], async () => {
      await rm(join(target, "d/deleted"));
      await rename(join(target, "d/kept"), join(target, "d/moved"));
    });
    const second = await step("second", [first, bottom], async () => {
      assert.deepEqual(await readdir(join(target, "d")), ["moved"]);
    });
    const list = "import os, sys; print(os.listxattr(sys.argv[1]))";
    const attributes = execFileSync("python3", ["-c", list, first.diff], { encoding: "utf8" });
    assert.equal(attributes, "[]\n");
    await mounter.mountRoot({ lowers: [second, first, bottom], work: join(folder, "w"), target, volatile: true });
    assert.deepEqual(await readdir(target, { recursive: true }), ["d", "d/moved"]);
    assert.deepEqual(await readdir(join(store.folder, ".drafts")), []);
  });

  it("does not delete through what a crash has left mounted in a draft", async (t) => {
    const folder = await scratchFolder(t);
    const mounter = await startMounter(t);
    const store = await LayerStore.open(join(folder, "layers"));
    const precious = await layerOf(folder, "precious", { file: "precious" });
    const draft = join(store.folder, ".drafts", "a", "scratch");
    const target = join(draft, "merged");
    await mkdir(target, { recursive: true });
    await mounter.mountRoot({ lowers: [precious], work: draft, target, volatile: true });
    await mounter.bind({ source: precious.diff, root: target, path: "/host", readOnly: false });
    await LayerStore.open(store.folder);
    assert.deepEqual(await readdir(join(store.folder, ".drafts")), []);
    assert.equal(await readFile(join(precious.diff, "file"), "utf8"), "precious");
    // Nor when who fills the layer forgets.
    const made = await store.make("a", async (diff, scratch) => {
      const place = join(scratch, "merged");
      await mkdir(place);
      await mounter.mountRoot({ lowers: [precious], work: scratch, target: place, volatile: true });
      await mounter.bind({ source: precious.diff, root: place, path: "/host", readOnly: false });
      await writeFile(join(diff, "file"), "");
    });
    assert.equal(await readFile(join(precious.diff, "file"), "utf8"), "precious");
    assert.deepEqual(await readdir(made.diff), ["file"]);
    assert.deepEqual(await mountsBelow(folder), []);
  });
});
