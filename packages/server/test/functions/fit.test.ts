/** Whether any worker could ever hold a function's containers: warned of, cut down or refused, never ignored. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { create } from "@bufbuild/protobuf";
import { CloudBucketMountSchema } from "@lydian/contract";

import type { Needs, WorkerView } from "../../src/domain/worker.ts";
import { isFail } from "../../src/errors.ts";
import { checkFit } from "../../src/functions/fit.ts";
import { needs, policy, worker } from "../support/rows.ts";

const check = (asked: Partial<Needs>, workers: readonly WorkerView[], strict = false): string[] =>
  checkFit({ functionName: "f", cloudBucketMounts: [] }, policy({ needs: needs(asked) }), workers, { strict });

const small = worker({ id: "a", capacity: { milliCpu: 4_000, memoryMib: 2_048 } });
const gpuHost = worker({
  id: "b",
  gpus: [{ kind: "A100-80GB", count: 2 }],
  labels: { region: "us-east-1", cloud: "aws" },
});

describe("a function that asks for", () => {
  it("what there is is told nothing, and so is every one while no worker is known", () => {
    assert.deepEqual(check({}, [small]), []);
    const all = { milliCpu: 99_000, gpus: [{ kind: "H100", count: 8 }], regions: ["mars"] };
    assert.deepEqual(check(all, []), []);
  });

  it("more processors or memory than the largest worker has gets what that has, or is refused where that is wanted", () => {
    const asked = { milliCpu: 64_000, memoryMib: 100_000 };
    assert.deepEqual(check(asked, [small]), [
      'Function "f" asks for 64 cores, and the largest worker has 4 cores. Its containers get those.',
      'Function "f" asks for 100000 MiB of memory, and the largest worker has 2048 MiB of memory. Its containers get those.',
    ]);
    assert.throws(
      () => check(asked, [small], true),
      (error) => isFail(error, "invalidArgument"),
    );
  });

  it("a bucket is refused where no worker mounts any, with what is to be installed", () => {
    const asked = { functionName: "f", cloudBucketMounts: [create(CloudBucketMountSchema, { bucketName: "b" })] };
    const fits = (workers: WorkerView[]): string[] => checkFit(asked, policy({}), workers, { strict: false });
    assert.deepEqual(fits([small, worker({ id: "c", mountsBuckets: true })]), []);
    assert.throws(
      () => fits([small]),
      (error) => isFail(error, "failedPrecondition") && /apt-get install rclone fuse3/.test(String(error.hint)),
    );
  });

  it("an accelerator that no worker has is refused, and told which there are", () => {
    const refused = (asked: Partial<Needs>, workers: WorkerView[], hint: string): void =>
      assert.throws(
        () => check(asked, workers),
        (error) => isFail(error, "invalidArgument") && error.hint === hint,
      );
    refused({ gpus: [{ kind: "H100", count: 1 }] }, [small, gpuHost], "GPUs of the workers: A100-80GB:2.");
    refused({ gpus: [{ kind: "A100", count: 4 }] }, [gpuHost], "GPUs of the workers: A100-80GB:2.");
    refused({ gpus: [{ kind: "T4", count: 1 }] }, [small], "GPUs of the workers: none.");
    const choice = {
      gpus: [
        { kind: "H100", count: 1 },
        { kind: "A100", count: 2 },
      ],
    };
    assert.deepEqual(check(choice, [small, gpuHost]), []);
  });

  it("a place is told that the workers name none, or refused where they name others", () => {
    assert.deepEqual(check({ regions: ["eu"], cloud: "gcp" }, [small]), [
      'Function "f" asks for a place (eu, gcp), and the workers name none. It runs on any of them.',
    ]);
    assert.deepEqual(check({ regions: ["us"], cloud: "aws" }, [gpuHost]), []);
    assert.throws(
      () => check({ regions: ["eu"] }, [gpuHost]),
      (error) => isFail(error, "invalidArgument") && error.hint === "Workers are in (cloud/region): aws/us-east-1.",
    );
  });
});
