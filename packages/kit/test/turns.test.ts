/** Acts for one key come one after the other, whatever becomes of them; those for others do not wait. */
import assert from "node:assert/strict";
import { it } from "node:test";

import { Turns } from "../src/turns.ts";

it("one act at a time for each key, in order, also after one that fails", async () => {
  const turns = new Turns();
  const done: string[] = [];
  const gate = Promise.withResolvers<void>();
  const first = turns.take("a", async () => {
    await gate.promise;
    done.push("a1");
    throw new Error("a1 fails");
  });
  const failed = assert.rejects(first, /a1 fails/);
  const second = turns.take("a", async () => done.push("a2"));
  assert.equal(await turns.take("b", async () => done.push("b1")), 1);
  gate.resolve();
  await failed;
  assert.equal(await second, 3);
  assert.deepEqual(done, ["b1", "a1", "a2"]);
});
