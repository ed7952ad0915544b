/** Whose door a secret opens: the container's it was derived for, while that lives, and nobody else's. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { doorResolver } from "../../src/workers/doors.ts";
import { doorSecret, openDoorSecret } from "../../src/workers/spec.ts";
import { testStore } from "../support/open-store.ts";
import { container } from "../support/rows.ts";

const serverKey = new Uint8Array(32).fill(1);
const workerSecret = "w".repeat(40);

test("a secret says for whom it was made, and only with the key that made it", () => {
  const one = { id: "ta-1", fence: "abc" } as const;
  const secret = doorSecret(serverKey, one);
  assert.deepEqual(openDoorSecret(serverKey, secret), one);
  assert.equal(doorSecret(serverKey, one), secret, "the same again, so that an assignment can be repeated");
  assert.equal(openDoorSecret(new Uint8Array(32).fill(2), secret), undefined);
  assert.notEqual(doorSecret(serverKey, { ...one, fence: "abd" }), secret);
  assert.ok(Buffer.from(secret.split(".")[2] ?? "", "base64url").length === 32);
});

test("a secret that was tampered with opens nothing", () => {
  const secret = doorSecret(serverKey, { id: "ta-1", fence: "abc" });
  const [id, fence, mac = ""] = secret.split(".");
  const flipped = mac.startsWith("A") ? `B${mac.slice(1)}` : `A${mac.slice(1)}`;
  for (const wrong of [
    "",
    "..",
    `ta-2.${fence}.${mac}`,
    `${id}.other.${mac}`,
    `${id}.${fence}.${flipped}`,
    `${id}.${fence}.${mac.slice(1)}`,
    `${id}.${fence}.`,
    `${id}.${fence}`,
    `${secret}.more`,
  ]) {
    assert.equal(openDoorSecret(serverKey, wrong), undefined, wrong);
  }
});

test("a door belongs to the present assignment of a container that is not gone", async () => {
  await using it = await testStore();
  const resolve = doorResolver({ store: it.store, serverKey, workerSecret });
  const secretFor = (id: `ta-${string}`, fence = "fence"): string => doorSecret(serverKey, { id, fence });
  await it.does(async (tx) => {
    await tx.containers.insert(container({ id: "ta-1" }));
    await tx.containers.insert(container({ id: "ta-2", state: "draining", killAt: 1 }));
    await tx.containers.insert(container({ id: "ta-3", state: "gone", goneAt: 1, goneReason: "x" }));
  });
  assert.deepEqual(await resolve(secretFor("ta-1")), { kind: "container", id: "ta-1" });
  assert.deepEqual(await resolve(secretFor("ta-2")), { kind: "container", id: "ta-2" });
  assert.equal(await resolve(secretFor("ta-1", "older")), undefined);
  assert.equal(await resolve(secretFor("ta-3")), undefined);
  assert.equal(await resolve(secretFor("ta-4")), undefined);
  assert.equal(await resolve("nonsense"), undefined);
});

test("the worker's secret opens the worker's door", async () => {
  await using it = await testStore();
  const resolve = doorResolver({ store: it.store, serverKey, workerSecret });
  assert.deepEqual(await resolve(workerSecret), { kind: "worker", id: "local" });
  assert.equal(await resolve(`${workerSecret}x`), undefined);
  assert.equal(await resolve(""), undefined);
});
