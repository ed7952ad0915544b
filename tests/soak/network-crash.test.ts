/** kill -9 of the worker while its network pool is opened, filled, used: what is taken stays, nothing else does. */
import assert from "node:assert/strict";
import test from "node:test";

import { seededRandom } from "@lydian/testkit";

import { NetworkPool } from "@lydian/worker/src/network/network-pool";
import { soak } from "../faults/soak.ts";
import { crashRound } from "../host/network/crash-round.ts";
import { needsRoot, noTraces, openPool, traces } from "../host/network/support.ts";

const { rounds, seed } = soak;

test(`${rounds} crashes (seed ${seed}) leave what is taken and nothing else`, needsRoot, async (t) => {
  const random = seededRandom(seed);
  const { pool, options } = await openPool(t, { size: 0 });
  const { index } = await pool.take("ta-kept");
  await pool.close({ remove: false });
  for (let number = 0; number < rounds; number++) await crashRound({ ...options, size: 4 }, random.below(900), index);
  const last = await NetworkPool.open(options);
  await last.close({ remove: true });
  assert.deepEqual(await traces(options), noTraces);
});
