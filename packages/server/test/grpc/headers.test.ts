/** What gRPC says in headers. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { timeoutOf } from "../../src/grpc/headers.ts";

test("deadlines in every unit; what cannot be read is none", () => {
  const ms = (text: string) => timeoutOf({ "grpc-timeout": text });
  assert.deepEqual(["2H", "3M", "4S", "5m"].map(ms), [7_200_000, 180_000, 4000, 5]);
  assert.ok(Math.abs(ms("6u") - 0.006) < 1e-9 && Math.abs(ms("7n") - 7e-6) < 1e-12);
  assert.deepEqual(["", "5", "x", "999999999S", "-1S"].map(ms), Array(5).fill(Number.POSITIVE_INFINITY));
  assert.equal(timeoutOf({}), Number.POSITIVE_INFINITY);
});
