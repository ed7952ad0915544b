/** What workers have and what functions ask for: kinds of accelerators, places, the most that there is. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { coversGpu, largest, matchesPlace } from "../../src/domain/worker.ts";
import { worker } from "../support/rows.ts";

test("a kind of accelerator covers its own kinds, and any covers all", () => {
  const table: [asked: string, has: string, covers: boolean][] = [
    ["A100", "A100-80GB", true],
    ["A100", "A100", true],
    ["a100-80gb", "A100-80GB", true],
    ["A100-80GB", "A100", false],
    ["A10", "A100", false],
    ["H100!", "H100", true],
    ["any", "T4", true],
    ["T4", "H100", false],
  ];
  for (const [asked, has, covers] of table) assert.equal(coversGpu(asked, has), covers, `${asked} and ${has}`);
});

test("a place matches where it is named, and where nobody names one", () => {
  const table: [asked: Parameters<typeof matchesPlace>[0], labels: Record<string, string>, matches: boolean][] = [
    [{ regions: [], cloud: "" }, { region: "us-east-1", cloud: "aws" }, true],
    [{ regions: ["us-east-1"], cloud: "" }, { region: "us-east-1" }, true],
    [{ regions: ["us"], cloud: "" }, { region: "us-east-1" }, true],
    [{ regions: ["us-east"], cloud: "" }, { region: "us-east-1" }, true],
    [{ regions: ["u"], cloud: "" }, { region: "us-east-1" }, false],
    [{ regions: ["eu", "us"], cloud: "" }, { region: "us-east-1" }, true],
    [{ regions: ["eu"], cloud: "" }, { region: "us-east-1" }, false],
    [{ regions: ["eu"], cloud: "" }, {}, true],
    [{ regions: [], cloud: "AWS" }, { cloud: "aws" }, true],
    [{ regions: [], cloud: "gcp" }, { cloud: "aws" }, false],
    [{ regions: [], cloud: "gcp" }, { region: "us" }, true],
    [{ regions: ["us"], cloud: "gcp" }, { region: "us", cloud: "aws" }, false],
  ];
  for (const [asked, labels, matches] of table) {
    assert.equal(matchesPlace(asked, labels), matches, `${JSON.stringify(asked)} at ${JSON.stringify(labels)}`);
  }
});

test("the most that there is need not be on one worker", () => {
  const workers = [
    worker({ capacity: { milliCpu: 4_000, memoryMib: 100 } }),
    worker({ capacity: { milliCpu: 1_000, memoryMib: 900 } }),
  ];
  assert.deepEqual(largest(workers), { milliCpu: 4_000, memoryMib: 900 });
});
