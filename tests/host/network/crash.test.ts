import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";

import { silentLogger, systemClock } from "@lydian/kit";

import { NetworkPool } from "@lydian/worker/src/network/network-pool";
import { crashRound } from "./crash-round.ts";
import { needsRoot, newInstance, noTraces, openPool, scratchFolder, traces } from "./support.ts";

describe("a pool whose worker is killed", needsRoot, () => {
  it("keeps what containers have, and leaves nothing else, whenever it happens", async (t) => {
    const { pool, options } = await openPool(t, { size: 0 });
    const { index } = await pool.take("ta-kept");
    await pool.close({ remove: false });
    // From its very start to long after it is open.
    for (const afterMs of [0, 150, 300, 450, 900]) await crashRound({ ...options, size: 4 }, afterMs, index);
    const last = await NetworkPool.open(options);
    await last.close({ remove: true });
    assert.deepEqual(await traces(options), noTraces);
  });

  it("leaves nothing when no container of it is known any more", async (t) => {
    const options = {
      instance: newInstance(),
      folder: join(await scratchFolder(t), "network"),
      size: 2,
      userns: false,
    };
    const services = { logger: silentLogger, clock: systemClock };
    const first = await NetworkPool.open({ ...options, ...services });
    await first.take("ta-gone");
    await first.close({ remove: false });
    const second = await NetworkPool.open({ ...options, size: 0, ...services });
    await assert.rejects(second.adopt("ta-other", 0), /is not that of the container ta-other/);
    await second.clearOthers(new Set());
    assert.deepEqual((await traces(options)).links, []);
    await second.close({ remove: true });
    assert.deepEqual(await traces(options), noTraces);
  });
});
