/** How a function scales, from its definition in the words of every supported client. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { type MessageInitShape, create } from "@bufbuild/protobuf";
import { FunctionSchema$ } from "@lydian/contract";

import type { ScalingPolicy } from "../../src/domain/function.ts";
import { scalingPolicy } from "../../src/functions/policy.ts";

const policy = (definition: MessageInitShape<typeof FunctionSchema$>): ScalingPolicy =>
  scalingPolicy(create(FunctionSchema$, definition));

test("a function that asks for nothing", () => {
  assert.deepEqual(policy({}), {
    minContainers: 0,
    maxContainers: 1_000,
    bufferContainers: 0,
    scaledownMs: 60_000,
    concurrency: 1,
    milliCpu: 125,
    memoryMib: 128,
    startupMs: 300_000,
    timeoutMs: 300_000,
  });
});

test("the older names and the newer settings mean the same; the newer ones win", () => {
  const older = { warmPoolSize: 2, concurrencyLimit: 5, taskIdleTimeoutSecs: 20 };
  const { minContainers, maxContainers, scaledownMs } = policy(older);
  assert.deepEqual([minContainers, maxContainers, scaledownMs], [2, 5, 20_000]);
  const newer = policy({
    ...older,
    autoscalerSettings: { minContainers: 1, maxContainers: 7, scaledownWindow: 30, bufferContainers: 3 },
  });
  assert.deepEqual(
    [newer.minContainers, newer.maxContainers, newer.scaledownMs, newer.bufferContainers],
    [1, 7, 30_000, 3],
  );
});

test("settings that are there and say nothing leave the older names and the defaults", () => {
  const { minContainers, maxContainers, scaledownMs } = policy({ concurrencyLimit: 4, autoscalerSettings: {} });
  assert.deepEqual([minContainers, maxContainers, scaledownMs], [0, 4, 60_000]);
  assert.equal(policy({ warmPoolSize: 3, autoscalerSettings: { minContainers: 0 } }).minContainers, 0);
});

test("resources, the time to start and the time to run", () => {
  const { milliCpu, memoryMib, startupMs, timeoutMs } = policy({
    resources: { milliCpu: 2_500, memoryMb: 4_096 },
    startupTimeoutSecs: 45,
    timeoutSecs: 12,
  });
  assert.deepEqual([milliCpu, memoryMib, startupMs, timeoutMs], [2_500, 4_096, 45_000, 12_000]);
});
