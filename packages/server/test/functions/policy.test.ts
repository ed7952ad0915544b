/** How a function scales, from its definition in the words of every supported client. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { type MessageInitShape, create } from "@bufbuild/protobuf";
import { type FunctionRetryPolicySchema, FunctionSchema$ } from "@lydian/contract";

import type { FunctionPolicy } from "../../src/domain/function.ts";
import { noRetries } from "../../src/domain/retry.ts";
import { functionPolicy } from "../../src/functions/policy.ts";

const policy = (
  definition: MessageInitShape<typeof FunctionSchema$>,
  of: "itself" | "variant" = "itself",
): FunctionPolicy => functionPolicy(create(FunctionSchema$, definition), of);

test("a function that asks for nothing", () => {
  assert.deepEqual(policy({}), {
    minContainers: 0,
    maxContainers: 1_000,
    bufferContainers: 0,
    scaledownMs: 60_000,
    maxConcurrency: 1,
    targetConcurrency: 1,
    batchSize: 0,
    singleUse: false,
    retry: noRetries,
    needs: { milliCpu: 125, memoryMib: 128, gpus: [], regions: [], cloud: "" },
    milliCpuLimit: 16_125,
    memoryLimitMib: 0,
    diskLimitMib: 0,
    network: { restricted: false, allowedCidrs: [] },
    restricted: false,
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
  const { needs, milliCpuLimit, memoryLimitMib, diskLimitMib, startupMs, timeoutMs } = policy({
    resources: { milliCpu: 2_500, memoryMb: 4_096, milliCpuMax: 3_000, memoryMbMax: 8_192, ephemeralDiskMb: 999 },
    startupTimeoutSecs: 45,
    timeoutSecs: 12,
  });
  assert.deepEqual(
    [needs.milliCpu, needs.memoryMib, milliCpuLimit, memoryLimitMib, diskLimitMib, startupMs, timeoutMs],
    [2_500, 4_096, 3_000, 8_192, 999, 45_000, 12_000],
  );
});

test("a start has at least a minute where the clients only repeat the timeout of inputs", () => {
  const startup = (startupTimeoutSecs: number, timeoutSecs: number): number =>
    policy({ startupTimeoutSecs, timeoutSecs }).startupMs;
  assert.equal(startup(3, 3), 60_000);
  assert.equal(startup(900, 900), 900_000);
  assert.equal(startup(3, 10), 3_000, "asked for by itself");
  assert.equal(startup(0, 10), 300_000);
});

test("inputs at a time: the target is at most what a container may run, and a batch counts as its inputs", () => {
  const concurrency = (definition: MessageInitShape<typeof FunctionSchema$>): number[] => {
    const { maxConcurrency, targetConcurrency, batchSize } = policy(definition);
    return [maxConcurrency, targetConcurrency, batchSize];
  };
  assert.deepEqual(concurrency({ maxConcurrentInputs: 10 }), [10, 10, 0]);
  assert.deepEqual(concurrency({ maxConcurrentInputs: 10, targetConcurrentInputs: 4 }), [10, 4, 0]);
  assert.deepEqual(concurrency({ maxConcurrentInputs: 10, targetConcurrentInputs: 40 }), [10, 10, 0]);
  assert.deepEqual(concurrency({ batchMaxSize: 8 }), [1, 8, 8]);
  assert.deepEqual(concurrency({ batchMaxSize: 8, maxConcurrentInputs: 2 }), [2, 16, 8]);
});

test("retries as asked for, with the clients' defaults for what is left out", () => {
  const retry = (retryPolicy: MessageInitShape<typeof FunctionRetryPolicySchema>) => policy({ retryPolicy }).retry;
  assert.deepEqual(retry({ retries: 0, initialDelayMs: 5 }), noRetries);
  assert.deepEqual(retry({ retries: 3, backoffCoefficient: 2.5, initialDelayMs: 500, maxDelayMs: 9_000 }), {
    retries: 3,
    initialMs: 500,
    factor: 2.5,
    maxMs: 9_000,
  });
  assert.deepEqual(retry({ retries: 1 }), { retries: 1, initialMs: 0, factor: 1, maxMs: 60_000 });
});

test("a container for one input only, in the words of old and new clients", () => {
  assert.equal(policy({ singleUseContainers: true }).singleUse, true);
  assert.equal(policy({ maxInputs: 1 }).singleUse, true);
  assert.equal(policy({ maxInputs: 2 }).singleUse, false);
});

test("a class that takes arguments keeps containers for its variants, and none for itself", () => {
  const taking = { warmPoolSize: 2, classParameterInfo: { schema: [{ name: "size" }] } };
  assert.equal(policy(taking).minContainers, 0);
  assert.equal(policy(taking, "variant").minContainers, 2);
  assert.equal(policy({ warmPoolSize: 2, classParameterInfo: { schema: [] } }).minContainers, 2);
});

test("a server takes requests without a limit, and scales by them where it says so", () => {
  const of = ({ maxConcurrency, targetConcurrency, timeoutMs }: FunctionPolicy): number[] => [
    maxConcurrency,
    targetConcurrency,
    timeoutMs,
  ];
  assert.deepEqual(of(policy({ isServer: true, timeoutSecs: 300 })), [10_000, 10_000, 3_600_000]);
  const settings = { autoscalerSettings: { targetConcurrencyFloat: 1.5 } };
  assert.deepEqual(of(policy({ isServer: true, maxConcurrentInputs: 20, ...settings })), [20, 2, 3_600_000]);
});
