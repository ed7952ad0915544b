import assert from "node:assert/strict";
import { it } from "node:test";

import { idMaker, isId } from "../src/index.ts";

const newId = idMaker(() => 1_800_000_000_000);

it("makes bodies in the shapes that the clients read", () => {
  for (let i = 0; i < 500; i++) {
    assert.match(newId("ap"), /^ap-[A-Za-z0-9]{22}$/);
    assert.match(newId("ta"), /^ta-[0-9A-Z]{25}[0-9A-UW-Z]$/);
  }
});

it("orders by time and never repeats", () => {
  let now = 1;
  const make = idMaker(() => now);
  const made = Array.from({ length: 200 }, () => (now++, make("in")));
  assert.deepEqual(made.toSorted(), made);
  assert.equal(new Set(made).size, made.length);
});

it("tells ids from other texts", () => {
  assert.ok(isId("fu", newId("fu")));
  for (const text of ["fu-", "fu", "ap-0123", "fu-a/b", "fu-a b", ""]) assert.ok(!isId("fu", text), text);
});
