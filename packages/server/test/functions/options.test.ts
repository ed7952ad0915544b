/** A definition with other options: each option by itself, and what stays as it was written. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { type MessageInitShape, create, equals } from "@bufbuild/protobuf";
import { type Function, FunctionOptionsSchema, FunctionSchema$ } from "@lydian/contract";

import { withOptions } from "../../src/functions/options.ts";
import { functionPolicy } from "../../src/functions/policy.ts";

const written = create(FunctionSchema$, {
  functionName: "hello",
  imageId: "im-1",
  mountIds: ["mo-1"],
  secretIds: ["st-1"],
  volumeMounts: [{ volumeId: "vo-1", mountPath: "/data" }],
  resources: { milliCpu: 500, memoryMb: 256 },
  retryPolicy: { retries: 1, initialDelayMs: 10 },
  timeoutSecs: 30,
  taskIdleTimeoutSecs: 20,
  concurrencyLimit: 5,
  maxConcurrentInputs: 2,
  targetConcurrentInputs: 1,
  batchMaxSize: 4,
  batchLingerMs: 100n,
  autoscalerSettings: { maxContainers: 5, scaledownWindow: 20, bufferContainers: 1 },
});

const changed = (options: MessageInitShape<typeof FunctionOptionsSchema>, base = written): Function =>
  withOptions(base, create(FunctionOptionsSchema, options));

describe("options of a variant", () => {
  it("that say nothing leave everything as it was written", () => {
    const same = changed({});
    same.autoscalerSettings = written.autoscalerSettings;
    assert.equal(equals(FunctionSchema$, same, written), true);
    assert.deepEqual(functionPolicy(changed({})), functionPolicy(written));
  });

  it("do not change the definition that they are applied to", () => {
    const before = create(FunctionSchema$, written);
    changed({ timeoutSecs: 1, concurrencyLimit: 1, mountIds: ["mo-9"], secretIds: ["st-9"] });
    assert.equal(equals(FunctionSchema$, written, before), true);
  });

  const table: [MessageInitShape<typeof FunctionOptionsSchema>, Partial<ReturnType<typeof functionPolicy>>][] = [
    [{ timeoutSecs: 7 }, { timeoutMs: 7_000 }],
    [{ concurrencyLimit: 9 }, { maxContainers: 9 }],
    [{ warmPoolSize: 2 }, { minContainers: 2 }],
    [{ bufferContainers: 3 }, { bufferContainers: 3 }],
    [{ taskIdleTimeoutSecs: 99 }, { scaledownMs: 99_000 }],
    [
      { resources: { milliCpu: 2_000, memoryMb: 1_024 } },
      {
        needs: { milliCpu: 2_000, memoryMib: 1_024, gpus: [], regions: [], cloud: "" },
        milliCpuLimit: 18_000,
      },
    ],
    [{ retryPolicy: { retries: 4 } }, { retry: { retries: 4, initialMs: 0, factor: 1, maxMs: 60_000 } }],
    [{ maxConcurrentInputs: 8 }, { maxConcurrency: 8, targetConcurrency: 32 }],
    [
      { maxConcurrentInputs: 8, targetConcurrentInputs: 6 },
      { maxConcurrency: 8, targetConcurrency: 24 },
    ],
    [
      { batchMaxSize: 10, batchLingerMs: 5n },
      { batchSize: 10, targetConcurrency: 10 },
    ],
  ];
  for (const [options, expected] of table) {
    const names = Object.keys(options).join(" and ");
    it(`${names}: it is that, and the rest stays`, () => {
      const made = changed(options);
      assert.deepEqual(functionPolicy(made), { ...functionPolicy(written), ...expected });
      assert.deepEqual([made.functionName, made.imageId], [written.functionName, written.imageId]);
    });
  }

  it("win over the older names and the newer settings of the definition alike", () => {
    for (const base of [
      create(FunctionSchema$, { concurrencyLimit: 5, taskIdleTimeoutSecs: 20, warmPoolSize: 3 }),
      create(FunctionSchema$, { autoscalerSettings: { maxContainers: 5, scaledownWindow: 20, minContainers: 3 } }),
    ]) {
      const policy = functionPolicy(changed({ concurrencyLimit: 2, taskIdleTimeoutSecs: 4, warmPoolSize: 1 }, base));
      assert.deepEqual([policy.maxContainers, policy.scaledownMs, policy.minContainers], [2, 4_000, 1]);
    }
  });

  it("do not inherit containers that are always kept: every variant would have them", () => {
    const keeping = create(FunctionSchema$, { warmPoolSize: 3, autoscalerSettings: { minContainers: 3 } });
    assert.equal(functionPolicy(changed({ timeoutSecs: 5 }, keeping)).minContainers, 0);
  });

  it("with secrets or volumes replace those that were written, also by none when they say so", () => {
    assert.deepEqual(changed({ secretIds: ["st-2"] }).secretIds, ["st-2"]);
    assert.deepEqual(changed({ replaceSecretIds: true }).secretIds, []);
    assert.deepEqual(
      changed({ volumeMounts: [{ volumeId: "vo-2", mountPath: "/x" }] }).volumeMounts.map(({ volumeId }) => volumeId),
      ["vo-2"],
    );
    assert.deepEqual(changed({ replaceVolumeMounts: true }).volumeMounts, []);
    assert.deepEqual(changed({}).secretIds, ["st-1"]);
  });

  it("with mounts add to those that were written: without them the code would be missing", () => {
    assert.deepEqual(changed({ mountIds: ["mo-2"] }).mountIds, ["mo-1", "mo-2"]);
  });
});
