/** Steps that fill the disk of the layers: each fails with a reason, and what it wrote is gone. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

import { SmallDisk } from "@lydian/testkit";
import { LayerStore } from "@lydian/worker/src/layers/index";

import { debian, openTestLayers } from "../runc/debian-layer.ts";
import { needsContainers, newIdentity, Rig } from "../runc/rig.ts";
import { BuildRig } from "./rig.ts";

const skip = needsContainers.skip ?? (await SmallDisk.lack()) ?? false;

/** The tests' Debian takes some 250 of them. */
const diskMib = 500;

async function layersOn(disk: SmallDisk): Promise<LayerStore> {
  const original = await debian(await openTestLayers());
  const layers = await LayerStore.open(join(disk.path, "layers"));
  await layers.make(original.id, async (diff, scratch) => {
    await promisify(execFile)("cp", ["-a", original.diff, join(scratch, "copy")]);
    for (const name of await readdir(join(scratch, "copy")))
      await rename(join(scratch, "copy", name), join(diff, name));
  });
  return layers;
}

async function scene(held: AsyncDisposableStack) {
  const disk = held.use(await SmallDisk.make(diskMib));
  const layers = await layersOn(disk);
  const rig = held.adopt(await Rig.open(await newIdentity(), { layers }), (each) => each.close());
  return { disk, layers, builds: await BuildRig.open(rig) };
}

test("a step that fills the disk fails with the reason and its last lines, and leaves nothing", { skip }, async () => {
  await using held = new AsyncDisposableStack();
  const { disk, layers, builds } = await scene(held);
  const [free, before] = [await disk.freeBytes(), (await layers.list()).length];
  const { exit } = await builds.make({ lines: ["FROM debian", "RUN head -c 600M /dev/zero > /filling"] });
  assert.match(
    exit.message,
    /^Step 1: RUN head -c 600M \/dev\/zero > \/filling: the command .*[^]*No space left on device/,
  );
  assert.equal((await layers.list()).length, before);
  assert.deepEqual(await readdir(join(layers.folder, ".drafts")), []);
  assert.ok((await disk.freeBytes()) > free - 5_000_000, "the room is given back");
  const { exit: next, said } = await builds.make({ lines: ["FROM debian", "RUN echo there is room again"] });
  assert.deepEqual([next.code, said], [0, "there is room again\n"]);
});
