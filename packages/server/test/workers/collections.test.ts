/** What workers are asked to remove: each answer finds who asked, and nobody waits for a worker that has gone. */
import assert from "node:assert/strict";
import { it } from "node:test";

import { create } from "@bufbuild/protobuf";
import { worker as wire } from "@lydian/contract";
import { ManualClock } from "@lydian/testkit";

import { Collections } from "../../src/workers/collections.ts";

function asked(collections: Collections, workerId: string): { id: string; answer: Promise<wire.Collected> } {
  let id = "";
  const answer = collections.ask(workerId, (collectionId) => (id = collectionId));
  return { id, answer };
}

const collected = (collectionId: string, layers: number): wire.Collected =>
  create(wire.CollectedSchema, { collectionId, layers });

it("takes each answer to who asked, once", async () => {
  const collections = new Collections(new ManualClock());
  const [one, other] = [asked(collections, "a"), asked(collections, "a")];
  collections.answered(collected("nobody's", 9));
  collections.answered(collected(other.id, 2));
  collections.answered(collected(one.id, 1));
  collections.answered(collected(one.id, 9));
  assert.deepEqual([(await one.answer).layers, (await other.answer).layers], [1, 2]);
});

it("waits no longer when the worker's session is over, or for ten minutes", async () => {
  const clock = new ManualClock();
  const collections = new Collections(clock);
  const [gone, silent, there] = [asked(collections, "a"), asked(collections, "b"), asked(collections, "c")];
  collections.left("a");
  await assert.rejects(gone.answer, /^ServerError: Worker a went away, or did not say/);
  collections.answered(collected(there.id, 1));
  await there.answer;
  const rejected = assert.rejects(silent.answer, /^ServerError: Worker b went away/);
  await clock.advance(600_000);
  await rejected;
  assert.equal(clock.pending, 0);
});
