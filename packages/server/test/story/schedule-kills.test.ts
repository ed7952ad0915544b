/** A scheduled run at whose every commit the server is killed: always it is one call. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { AppState } from "@lydian/contract";

import type { Fault } from "../support/server-process.ts";
import { World, defaultImage, rpc } from "../support/world.ts";

const hour = 3_600_000;

/** A deployed app whose function is due in an hour, in a server that dies as the fault says. */
async function run(fault: Omit<Fault, "write"> | undefined, nth: number): Promise<{ calls: number; due: number }> {
  await using world = await World.begin();
  const { appId } = await world.asUser(rpc.appCreate, { description: "reports", appState: AppState.INITIALIZING });
  const { imageId } = await world.asUser(rpc.imageGetOrCreate, { image: defaultImage });
  const schedule = { scheduleOneof: { case: "period", value: { hours: 1 } } } as const;
  const definition = { functionName: "nightly", imageId, schedule };
  const { functionId } = await world.asUser(rpc.functionCreate, { appId, function: definition });
  const functionIds = { nightly: functionId };
  await world.asUser(rpc.appPublish, { appId, appState: AppState.DEPLOYED, name: "reports", functionIds });
  await world.rest();
  const server = await world.server();
  if (fault !== undefined) server.fault = { ...fault, write: server.writes + nth };
  const begun = world.clock.now();
  await world.clock.advance(hour);
  await world.rest();
  await world.clock.advance(1_000);
  await world.rest();
  assert.equal(server.isDead, fault !== undefined, "the fault came to pass");
  world.check("after the run");
  const { store } = await world.server();
  return await store.read(async (tx) => ({
    calls: (await tx.inputs.unfinished(functionId, 10)).length,
    due: ((await tx.schedules.get(functionId))?.dueAt ?? 0) - begun,
  }));
}

describe("a scheduled run", () => {
  it("is one call", async () => {
    assert.deepEqual(await run(undefined, 0), { calls: 1, due: 2 * hour });
  });

  for (const when of ["before", "after"] as const) {
    it(`is one call when the server is killed ${when} the commit that makes it`, async () => {
      assert.deepEqual(await run({ when }, 1), { calls: 1, due: 2 * hour });
    });
  }
});
