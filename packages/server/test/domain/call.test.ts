/** When a call is finished. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { settled } from "../../src/domain/call.ts";

test("a call is finished once it gets no more inputs and has an output for each", () => {
  assert.equal(settled({ state: "open", unfinished: 0 }), "open");
  assert.equal(settled({ state: "closed", unfinished: 1 }), "closed");
  assert.equal(settled({ state: "closed", unfinished: 0 }), "finished");
  assert.equal(settled({ state: "finished", unfinished: 0 }), "finished");
});
