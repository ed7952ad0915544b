/** The token that the JavaScript and Go clients want: a JWT that says who and until when, and opens nothing. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { authToken } from "../../src/identity/auth-token.ts";

const key = new Uint8Array(32).fill(7);
const parts = (token: string): Record<string, unknown>[] =>
  token
    .split(".")
    .slice(0, 2)
    .map((part) => JSON.parse(Buffer.from(part, "base64url").toString()) as Record<string, unknown>);

test("it says who and until when, in whole seconds", () => {
  assert.deepEqual(parts(authToken(key, "ak-1", 1_999_999)), [
    { alg: "HS256", typ: "JWT" },
    { sub: "ak-1", iat: 1_999, exp: 3_199 },
  ]);
});

test("it is signed: by the server's key, for this token alone", () => {
  const signature = (...of: Parameters<typeof authToken>): string => authToken(...of).split(".")[2] ?? "";
  assert.equal(signature(key, "ak-1", 0), signature(key, "ak-1", 0));
  assert.notEqual(signature(key, "ak-1", 0), signature(key, "ak-2", 0));
  assert.notEqual(signature(key, "ak-1", 0), signature(new Uint8Array(32), "ak-1", 0));
});
