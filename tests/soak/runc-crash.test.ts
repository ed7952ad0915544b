/** kill -9 of worker, conmon, runc and containers at random moments of start, run and stop: nothing is ever left. */
import assert from "node:assert/strict";
import test from "node:test";

import { seededRandom } from "@lydian/testkit";

import { parts } from "../faults/containers.ts";
import { soak } from "../faults/soak.ts";
import { type Crash, crashRound } from "../host/runc/crash-round.ts";
import { needsContainers, newIdentity, nothingIsLeft } from "../host/runc/rig.ts";

test(`${soak.rounds} crashes (seed ${soak.seed}) leave nothing`, needsContainers, async (t) => {
  const identity = await newIdentity();
  const random = seededRandom(soak.seed);
  const hits = { conmon: 0, runc: 0, init: 0 };
  for (let number = 0; number < soak.rounds; number++) {
    const victims = parts.filter(() => random.once(3)).toSorted(() => random.below(3) - 1);
    const crash: Crash = {
      id: `ta-ROUND${number}`,
      victims,
      afterMs: random.below(victims.length === 0 ? 300 : 100),
      isLeased: random.once(2),
    };
    const { left, hit } = await crashRound(identity, crash);
    assert.deepEqual(left, [], JSON.stringify(crash));
    for (const victim of hit) hits[victim]++;
  }
  t.diagnostic(`killed beside the worker: ${JSON.stringify(hits)}`);
  await nothingIsLeft(identity);
});
