/** What a worker is told of a volume that a container mounts. */
import assert from "node:assert/strict";
import { it } from "node:test";

import { mountsNow } from "../../src/volumes/mounts.ts";
import { file, volumeScene } from "./volume-scene.ts";

it("a mount says the volume's newest commit, but while one is on its way that a worker may not know of", async () => {
  await using scene = await volumeScene();
  const mount = { volumeId: scene.id, path: "/data", readOnly: false, subPath: "" };
  const told = async (): Promise<bigint | undefined> =>
    (await scene.test.does((tx) => mountsNow(tx, [mount])))[0]?.head;
  assert.equal(await told(), 0n);
  await scene.commits({ key: "a", written: [file("a", 1)] });
  assert.equal(await told(), 1n);
  await scene.test.does((tx) => tx.volumes.owe(scene.id, "b"));
  assert.equal(await told(), undefined);
});
