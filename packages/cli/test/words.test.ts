/** Times as people read them. */
import assert from "node:assert/strict";
import { afterEach, it } from "node:test";

import { zonedTimeOf } from "../src/words.ts";

const before = process.env["TZ"];
afterEach(() => {
  if (before === undefined) delete process.env["TZ"];
  else process.env["TZ"] = before;
});

it("says in which zone a time is", () => {
  const at = BigInt(Date.UTC(2026, 6, 1, 2));
  const seen = ["UTC", "Europe/Berlin", "America/St_Johns"].map((zone) => {
    process.env["TZ"] = zone;
    return zonedTimeOf(at);
  });
  assert.deepEqual(seen, ["2026-07-01 02:00:00 UTC", "2026-07-01 04:00:00 +02:00", "2026-06-30 23:30:00 -02:30"]);
});
