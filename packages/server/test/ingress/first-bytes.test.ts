import assert from "node:assert/strict";
import { test } from "node:test";

import { kindOf, longestDoorLine } from "../../src/ingress/first-bytes.ts";

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

test("first bytes tell the kinds apart, however they are cut", () => {
  for (let n = 0; n < preface.length; n++) assert.equal(kindOf(Buffer.from(preface.slice(0, n))).kind, "undecided");
  assert.equal(kindOf(Buffer.from(preface)).kind, "grpc");
  assert.equal(kindOf(Buffer.from(`${preface}more`)).kind, "grpc");
  for (const text of ["GET / HTTP/1.1", "PUT /", "PRI *x", "LOCK /", "\0", "LYDIAN/2 x\n", "G"]) {
    assert.equal(kindOf(Buffer.from(text)).kind, "http", text);
  }
  assert.equal(kindOf(Buffer.from([0x16, 3, 1])).kind, "tls");
});

test("a door's line", () => {
  const line = "LYDIAN/1 secret\n";
  for (let n = 0; n < line.length; n++) assert.equal(kindOf(Buffer.from(line.slice(0, n))).kind, "undecided");
  assert.deepEqual(kindOf(Buffer.from(`${line}GET`)), { kind: "door", secret: "secret", rest: Buffer.from("GET") });
  assert.equal(kindOf(Buffer.from("LYDIAN/1 \n")).kind, "broken");
  assert.equal(kindOf(Buffer.from("LYDIAN/1 ".padEnd(longestDoorLine - 1, "x"))).kind, "undecided");
  assert.equal(kindOf(Buffer.from(`${"LYDIAN/1 ".padEnd(longestDoorLine - 1, "x")}\n`)).kind, "door");
  assert.equal(kindOf(Buffer.from(`${"LYDIAN/1 ".padEnd(longestDoorLine, "x")}\n`)).kind, "broken");
});
