/** Requests that stand in no database count where containers are wanted and ended. */
import assert from "node:assert/strict";
import { it } from "node:test";

import { withLoads } from "../../src/scheduler/loads.ts";
import { advance } from "../../src/containers/begin.ts";
import { demandBell } from "../../src/domain/bells.ts";
import { plantContainer } from "../support/rows.ts";
import { running, stateOf } from "../support/running-scheduler.ts";

it("nothing changes where there are none", () => {
  const view = { demands: [], containers: [] };
  assert.deepEqual(withLoads(view, []), view);
});

it("a container that is busy with them is kept, another one is started for more, and both end when they are over", async () => {
  await using test = await running({ scaledownMs: 10_000, targetConcurrency: 2, maxConcurrency: 4, maxContainers: 2 });
  const { id } = await test.does((tx, context) => plantContainer(tx, test.of, context, { state: "starting" }));
  await test.does((tx, context) => advance(tx, id, "ready", context));
  const load = { containerId: id, functionId: test.of.id, requests: 2, until: 0 };
  test.loads.push(load);
  await test.clock.advance(30_000);
  assert.equal(await stateOf(test, id), "ready");
  assert.equal(test.assigned.length, 0);
  load.requests = 3;
  test.bells.ring(demandBell);
  await test.clock.settle();
  assert.equal(test.assigned.length, 1);
  Object.assign(load, { requests: 0, until: test.clock.now() });
  await test.clock.advance(9_000);
  assert.equal(await stateOf(test, id), "ready");
  await test.clock.advance(20_000);
  assert.equal(await stateOf(test, id), "draining");
});
