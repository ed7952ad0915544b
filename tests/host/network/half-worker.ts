/**
 * A worker that the tests of crashes kill: opens a pool, then takes slots and gives them back without end, and says each
 * step on stdout.
 *
 *     node half-worker.ts '{"instance":…,"folder":…,"size":…,"userns":…}'
 */
import { silentLogger, systemClock } from "@lydian/kit";

import { NetworkPool, type NetworkPoolOptions } from "@lydian/worker/src/network/network-pool";

const say = (step: string): void => void process.stdout.write(`${step}\n`);

say("started");
const options = JSON.parse(process.argv[2] ?? "{}") as Omit<NetworkPoolOptions, "logger" | "clock">;
const pool = await NetworkPool.open({ ...options, logger: silentLogger, clock: systemClock });
await pool.clearOthers(new Set(["ta-kept"]));
say("open");
for (let round = 0; ; round++) {
  const slots = await Promise.all(["a", "b", "c"].map((name) => pool.take(`ta-${round}${name}`)));
  await pool.listen(slots[0] ?? { index: -1 }, 8700);
  say("taken");
  await Promise.all(slots.map((slot) => pool.give(slot)));
}
