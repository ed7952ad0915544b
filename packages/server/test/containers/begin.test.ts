/** A container's first signs of life, and the word that ends it. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { advance, drain } from "../../src/containers/begin.ts";
import { containerBell, demandBell } from "../../src/domain/bells.ts";
import type { ContainerState } from "../../src/domain/container.ts";
import { countRings, testStore } from "../support/open-store.ts";
import { container } from "../support/rows.ts";

test("news moves it forward and never back", async () => {
  await using test = await testStore();
  const table: [ContainerState, "starting" | "ready", ContainerState][] = [
    ["assigned", "starting", "starting"],
    ["assigned", "ready", "ready"],
    ["starting", "ready", "ready"],
    ["ready", "starting", "ready"],
    ["draining", "ready", "draining"],
    ["gone", "ready", "gone"],
  ];
  for (const [index, [from, to, expected]] of table.entries()) {
    const id = `ta-${index}` as const;
    const rest = {
      ...(from === "gone" && { goneAt: 1, goneReason: "x" }),
      ...(from === "draining" && { killAt: 1 }),
    };
    const found = await test.does(async (tx, context) => {
      await tx.containers.insert(container({ id, state: from, ...rest }));
      await advance(tx, id, to, context);
      return await tx.containers.get(id);
    });
    assert.equal(found?.state, expected, `${from} hears ${to}`);
    assert.equal(found?.readyAt, expected === "ready" && from !== "ready" ? test.clock.now() : undefined);
  }
  await test.does((tx, context) => advance(tx, "ta-none", "ready", context));
});

test("draining is told, and never puts off an end that was nearer", async () => {
  await using test = await testStore();
  await test.does((tx) => tx.containers.insert(container()));
  const rings = countRings(test.bells, containerBell("ta-1"));
  const scheduler = countRings(test.bells, demandBell);
  await test.clock.settle();
  const killAt = async (at: number): Promise<number | undefined> =>
    await test.does(async (tx) => {
      await drain(tx, "ta-1", at);
      return (await tx.containers.get("ta-1"))?.killAt;
    });
  assert.deepEqual([await killAt(200), await killAt(300), await killAt(100)], [200, 200, 100]);
  await test.clock.settle();
  assert.ok(rings.count >= 1);
  assert.ok(scheduler.count >= 1, "it may have to be replaced");
  await rings.stop();
  await scheduler.stop();
});
