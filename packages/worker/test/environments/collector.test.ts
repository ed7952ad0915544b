/** What goes of environments, and what containers keep. */
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it, type TestContext } from "node:test";

import { modestWish } from "../../src/collect/what-goes.ts";
import { EnvironmentCollector } from "../../src/environments/environment-collector.ts";
import { Pins } from "../../src/builds/pins.ts";
import { temporaryFolder } from "../support/temporary.ts";

const ids = ["im-old", "im-young", "im-needed", "im-running", "im-pinned"];

async function scene(t: TestContext) {
  const folder = await temporaryFolder(t);
  for (const id of ids) {
    await mkdir(join(folder, id));
    await writeFile(join(folder, id, "file"), "x".repeat(10_000));
  }
  const left = new Set(ids);
  const pins = new Pins();
  pins.pin("im-pinned");
  const environments = {
    list: async () =>
      [...left].map((id) => ({ id, folder: join(folder, id), madeAt: id === "im-young" ? 2000 : 1000 })),
    forget: async (id: string) => void left.delete(id),
    isPinned: (id: string) => pins.has(id),
  };
  const content = { collect: async () => ({ files: 1, bytes: 5 }) };
  const inUse = async (): Promise<ReadonlySet<string>> => new Set(["im-running"]);
  const collector = new EnvironmentCollector({ environments, content, inUse });
  const known = new Map([["im-needed", { usedAt: 0, isNeeded: true }]]);
  return { left, collect: (change: object) => collector.collect({ ...modestWish, known, isDry: false, ...change }) };
}

it("goes when nothing needs it, no container has it and none is about to", async (t) => {
  const { left, collect } = await scene(t);
  const dry = await collect({ usedBefore: 1500, isDry: true });
  assert.deepEqual([dry.images, left.size], [["im-old"], ids.length]);
  const { images, bytes, leftBytes, content } = await collect({ usedBefore: 1500 });
  assert.deepEqual([images, content], [["im-old"], { files: 1, bytes: 5 }]);
  assert.ok(bytes >= 10_000 && leftBytes === bytes * 4, `${bytes} bytes, ${leftBytes} left`);
  assert.deepEqual([...left], ids.slice(1));
});

it("goes when room is wanted, the oldest first, or when it is named", async (t) => {
  const { left, collect } = await scene(t);
  assert.deepEqual((await collect({ freeBytes: 1 })).images, ["im-old"]);
  assert.deepEqual((await collect({ mostBytes: 1 })).images, ["im-young"]);
  assert.deepEqual((await collect({ named: new Set(["im-needed"]) })).images, ["im-needed"]);
  assert.deepEqual([...left], ["im-running", "im-pinned"]);
  await assert.rejects(collect({ named: new Set(["im-nowhere"]) }), /there is no image im-nowhere/);
});
