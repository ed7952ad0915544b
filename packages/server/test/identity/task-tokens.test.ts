/** A token opens one container, for a while, and cannot be made by others. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { TaskTokens } from "../../src/identity/task-tokens.ts";

const key = new Uint8Array(32).fill(1);

test("a token opens its container until its time is over", () => {
  let now = 1_000_000;
  const tokens = new TaskTokens(key, () => now);
  const token = tokens.make("ta-1");
  assert.equal(tokens.open(token), "ta-1");
  const [, body = ""] = token.split(".");
  assert.deepEqual(JSON.parse(Buffer.from(body, "base64url").toString()), { task_id: "ta-1", exp: 1_900 });
  now += 15 * 60_000;
  assert.equal(tokens.open(token), undefined);
});

test("what was not made here, or was changed, opens nothing", () => {
  const tokens = new TaskTokens(key, () => 0);
  const token = tokens.make("ta-1");
  const [head = "", body = "", signature = ""] = token.split(".");
  const other = Buffer.from(JSON.stringify({ task_id: "ta-2", exp: 1e9 })).toString("base64url");
  const none = Buffer.from(JSON.stringify({ alg: "none", typ: "JWT" })).toString("base64url");
  const wrong = [
    ...["", "x", "a.b", "a.b.c", `${token}.x`, `${head}.${body}`, `${head}.${body}.`],
    ...[`${head}.${other}.${signature}`, `${none}.${body}.${signature}`, `${none}.${body}.`],
    new TaskTokens(new Uint8Array(32).fill(2), () => 0).make("ta-1"),
  ];
  for (const each of wrong) assert.equal(tokens.open(each), undefined, each);
});
