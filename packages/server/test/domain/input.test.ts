/** What becomes of an input whose container is gone. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { afterLoss, defaultCrashPolicy } from "../../src/domain/input.ts";

const reason = "exited with code 1";

test("an input goes back to the queue when its container was lost, however often", () => {
  for (const crashes of [0, 2]) {
    assert.deepEqual(afterLoss({ crashes }, { crashed: false, reason }, defaultCrashPolicy), {
      state: "queued",
      crashes,
    });
  }
});

test("a crash is counted, and the third one ends the input with the reason", () => {
  const crash = (crashes: number): ReturnType<typeof afterLoss> =>
    afterLoss({ crashes }, { crashed: true, reason }, defaultCrashPolicy);
  assert.deepEqual(crash(0), { state: "queued", crashes: 1 });
  assert.deepEqual(crash(1), { state: "queued", crashes: 2 });
  const third = crash(2);
  assert.equal(third.state, "done");
  assert.match(
    third.state === "done" ? third.failure.message : "",
    /after 3 containers crashed.*exited with code 1\.$/,
  );
});

test("the limit is a setting; without end means for ever", () => {
  const never = { ...defaultCrashPolicy, perInput: Number.POSITIVE_INFINITY };
  assert.equal(afterLoss({ crashes: 1_000 }, { crashed: true, reason }, never).state, "queued");
  assert.equal(afterLoss({ crashes: 0 }, { crashed: true, reason }, { ...never, perInput: 1 }).state, "done");
});
