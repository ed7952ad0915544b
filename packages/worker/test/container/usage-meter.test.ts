/** What a container uses is told by the minute, and once more at its end. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { silentLogger } from "@lydian/kit";
import { ManualClock } from "@lydian/testkit";

import { type Usage, UsageMeter } from "../../src/container/usage-meter.ts";

function scene() {
  const clock = new ManualClock();
  const told: Usage[] = [];
  const now = { cpuMicroseconds: 1_000, memoryBytes: 10, peakBytes: 99 };
  const parts = { clock, logger: silentLogger, tell: (usage: Usage) => void told.push(usage) };
  return { clock, told, now, begin: () => UsageMeter.begin(async () => ({ ...now }), parts) };
}

test("each telling is about the time since the one before, from the beginning of the meter on", async () => {
  const { clock, told, now, begin } = scene();
  const meter = await begin();
  now.cpuMicroseconds += 500;
  await clock.advance(60_000);
  now.cpuMicroseconds += 40;
  now.memoryBytes = 20;
  await clock.advance(60_000);
  now.cpuMicroseconds += 3;
  await clock.advance(10_000);
  await meter.finish();
  assert.deepEqual(told, [
    { cpuMicroseconds: 500, overMs: 60_000, memoryBytes: 10 },
    { cpuMicroseconds: 40, overMs: 60_000, memoryBytes: 20 },
    { cpuMicroseconds: 3, overMs: 10_000, memoryBytes: 99 },
  ]);
  await clock.advance(600_000);
  assert.deepEqual([told.length, clock.pending], [3, 0], "nothing is told after the end");
});

test("what cannot be read is not told, and the next minute tells all of it", async () => {
  const { clock, told, now } = scene();
  let isBroken = false;
  const read = async () => {
    if (isBroken) throw new Error("it is not there");
    return { ...now };
  };
  const tell = (usage: Usage): void => void told.push(usage);
  const meter = await UsageMeter.begin(read, { clock, logger: silentLogger, tell });
  isBroken = true;
  await clock.advance(60_000);
  isBroken = false;
  now.cpuMicroseconds += 7;
  await clock.advance(60_000);
  assert.deepEqual(told, [{ cpuMicroseconds: 7, overMs: 120_000, memoryBytes: 10 }]);
  meter.close();
});
