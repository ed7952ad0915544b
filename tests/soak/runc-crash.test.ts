/** kill -9 of worker, conmon, runc and containers at random moments of start, run and stop: nothing is ever left. */
import assert from "node:assert/strict";
import test from "node:test";

import { seededRandom } from "@lydian/testkit";

import { type Crash, crashRound } from "../host/runc/crash-round.ts";
import { needsContainers, newIdentity, nothingIsLeft } from "../host/runc/rig.ts";

const rounds = Number(process.env["LYDIAN_SOAK_ROUNDS"] ?? 120);

test(`${rounds} crashes leave nothing`, needsContainers, async (t) => {
  const identity = await newIdentity();
  const seed = Number(process.env["LYDIAN_SOAK_SEED"] ?? Date.now() % 1_000_000);
  t.diagnostic(`LYDIAN_SOAK_SEED=${seed}`);
  const random = seededRandom(seed);
  for (let number = 0; number < rounds; number++) {
    const crash: Crash = {
      id: `ta-ROUND${number}`,
      afterMs: random.below(300),
      victims: (["conmon", "runc", "container"] as const).filter(() => random.once(4)),
      isLeased: random.once(2),
    };
    assert.deepEqual(await crashRound(identity, crash), [], JSON.stringify(crash));
  }
  await nothingIsLeft(identity);
});
