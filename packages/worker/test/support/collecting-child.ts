/** Makes images of few layers, uses and collects them without end, until it is killed: `node collecting-child.ts FOLDER`. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { silentLogger, systemClock } from "@lydian/kit";

import { Images } from "../../src/builds/images.ts";
import { Collector } from "../../src/collect/collector.ts";
import { modestWish } from "../../src/collect/what-goes.ts";
import { plainConfig } from "../../src/images/image-config.ts";
import { LayerFacts, LayerStore } from "../../src/layers/index.ts";

const [folder = ""] = process.argv.slice(2);
const layers = await LayerStore.open(join(folder, "layers"));
const images = await Images.open(join(folder, "images"), layers);
const shared = { layers, clock: systemClock, logger: silentLogger };
const facts = new LayerFacts(shared);
const bases = { records: async () => [], forget: async () => {} };
const content = { collect: async () => ({ files: 0, bytes: 0 }) };
const collector = new Collector({ ...shared, images, bases, content, facts, isElsewhere: false });

async function make(n: number): Promise<void> {
  await using lease = layers.lease();
  const stack = [];
  for (const id of ["shared", `l${n % 5}`, `l${n % 7}`]) {
    stack.unshift(await lease.make(id, (diff) => writeFile(join(diff, "file"), id)));
  }
  const facts = { python: "", libc: "", mark: "" };
  await images.keep(`im-${n % 3}`, { layers: stack, config: plainConfig, digest: String(n), facts });
}

async function collect(n: number): Promise<void> {
  const known = new Map([[`im-${n % 2}`, { usedAt: 0, isNeeded: true }]]);
  await collector.collect({ ...modestWish, usedBefore: Date.now(), known, isDry: false });
}

process.stdout.write("begun\n");
for (let n = 0; ; n++) await Promise.all([make(n), make(n + 1), collect(n)]);
