/** kill -9 while images are made and collected: what is written down is whole, and what is not goes with the next collection. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { silentLogger, systemClock } from "@lydian/kit";
import { seededRandom } from "@lydian/testkit";

import { Images } from "../../src/builds/images.ts";
import { Collector } from "../../src/collect/collector.ts";
import { modestWish } from "../../src/collect/what-goes.ts";
import { LayerFacts, LayerInUseError, LayerStore } from "../../src/layers/index.ts";
import { temporaryFolder } from "../support/temporary.ts";

const script = fileURLToPath(new URL("../support/collecting-child.ts", import.meta.url));
const kills = 3;

it("leaves no record of a layer that is gone, and no layer that nobody can remove", async (t) => {
  const folder = await temporaryFolder(t);
  const seed = Date.now();
  t.diagnostic(`seed ${seed}`);
  const random = seededRandom(seed);
  for (let kill = 0; kill < kills; kill++) {
    const child = spawn(process.execPath, ["--conditions=lydian-source", script, folder], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const ended = once(child, "exit");
    await once(child.stdout, "data");
    await sleep(random.below(250));
    child.kill("SIGKILL");
    assert.deepEqual(await ended, [null, "SIGKILL"]);

    const layers = await LayerStore.open(join(folder, "layers"));
    const images = await Images.open(join(folder, "images"), layers);
    const present = new Set((await layers.list()).map(({ id }) => id));
    const records = await images.list();
    for (const { id, layers: named } of records) {
      assert.deepEqual(
        named.filter((each) => !present.has(each)),
        [],
        `layers of ${id}`,
      );
      await assert.rejects(layers.remove(named[0] ?? ""), LayerInUseError);
    }
    const shared = { layers, clock: systemClock, logger: silentLogger };
    const bases = { records: async () => [], forget: async () => {} };
    const content = { collect: async () => ({ files: 0, bytes: 0 }) };
    const options = { ...shared, images, bases, content, facts: new LayerFacts(shared), isElsewhere: false };
    const known = new Map(records.map(({ id }) => [id, { usedAt: 0, isNeeded: true }]));
    const asked = { ...modestWish, usedBefore: Date.now() + 1_000, isDry: false };
    await new Collector(options).collect({ ...asked, known });
    const named = new Set(records.flatMap((each) => each.layers));
    assert.deepEqual((await layers.list()).map(({ id }) => id).toSorted(), [...named].toSorted());
    assert.deepEqual(
      (await readdir(join(folder, "images"))).toSorted(),
      records.map(({ id }) => `${id}.json`).toSorted(),
    );
    for (const rest of [".drafts", ".gone"]) assert.deepEqual(await readdir(join(folder, "layers", rest)), []);
  }
});
