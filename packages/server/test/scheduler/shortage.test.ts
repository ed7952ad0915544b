/** Functions for which there is no room: told once, after a while, and again only when they have had some meanwhile. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { Shortage, shortageLine, toldAfterMs, type Wanting } from "../../src/scheduler/shortage.ts";
import { container, needs } from "../support/rows.ts";

const wanting = (functionId: string): Wanting => ({ ...needs({ milliCpu: 500 }), functionId, appId: "ap-1" });

const names = ({ tell }: ReturnType<Shortage["look"]>): string[] => tell.map(({ functionId }) => functionId);

test("who waits is told after a while, once, however many containers are wanted", () => {
  const shortage = new Shortage();
  const unplaced = [wanting("fu-1"), wanting("fu-1")];
  assert.deepEqual(shortage.look(unplaced, [], 1_000), { tell: [], lookAgainAt: 1_000 + toldAfterMs });
  assert.deepEqual(shortage.look(unplaced, [], 1_000 + toldAfterMs - 1).tell, []);
  assert.deepEqual(names(shortage.look(unplaced, [], 1_000 + toldAfterMs)), ["fu-1"]);
  assert.deepEqual(shortage.look(unplaced, [], 900_000), { tell: [], lookAgainAt: undefined });
});

test("who has a container makes do with it, and begins to wait anew without", () => {
  const shortage = new Shortage();
  const [one] = [container({ functionId: "fu-1" })];
  shortage.look([wanting("fu-1")], [], 0);
  assert.deepEqual(shortage.look([wanting("fu-1")], [one], toldAfterMs), { tell: [], lookAgainAt: undefined });
  assert.deepEqual(shortage.look([wanting("fu-1")], [], toldAfterMs + 1).tell, []);
  assert.deepEqual(names(shortage.look([wanting("fu-1")], [], 2 * toldAfterMs + 1)), ["fu-1"]);
});

test("each function has its own time, and the next look is at the earliest", () => {
  const shortage = new Shortage();
  shortage.look([wanting("fu-1")], [], 0);
  const both = [wanting("fu-1"), wanting("fu-2")];
  assert.equal(shortage.look(both, [], 2_000).lookAgainAt, toldAfterMs);
  const later = shortage.look(both, [], toldAfterMs);
  assert.deepEqual([names(later), later.lookAgainAt], [["fu-1"], 2_000 + toldAfterMs]);
  assert.deepEqual(names(shortage.look([wanting("fu-2")], [], 2_000 + toldAfterMs)), ["fu-2"]);
});

test("a ceiling is told of even where there is a container", () => {
  const shortage = new Shortage();
  const held = { ...wanting("fu-1"), full: { kind: "app" as const, id: "ap-1", most: 3 } };
  const there = [container({ functionId: "fu-1" })];
  shortage.look([held], there, 0);
  const { tell } = shortage.look([held], there, toldAfterMs);
  assert.deepEqual(tell.map(shortageLine), [
    "Inputs wait: the app has 3 containers, the most that it may have here at a time.\n",
  ]);
});

test("an image that is made again is told of", () => {
  const lacking = { ...wanting("fu-1"), image: { id: "im-1", isBuilt: false }, lacksImage: true };
  assert.equal(shortageLine(lacking), "Inputs wait for image im-1, which is made again: no worker has it now.\n");
});

test("the line says what is needed", () => {
  const gpus = [
    { kind: "H100", count: 1 },
    { kind: "A100", count: 2 },
  ];
  assert.equal(
    shortageLine(needs({ milliCpu: 2_500, memoryMib: 512, gpus })),
    "Inputs wait for a container that needs 2.5 cores, 512 MiB of memory, 1 H100 or 2 A100: no worker has that free now.\n",
  );
});
