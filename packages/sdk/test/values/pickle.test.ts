/** Plain data is pickled as Python does it, and read again; nothing that a pickle names is ever loaded. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { it } from "node:test";

import { clientProgram, missingClient, newestClient } from "@lydian/testkit";

import { SerializationError } from "../../src/errors.ts";
import { readPickle } from "../../src/values/pickle-read.ts";
import { writePickle } from "../../src/values/pickle-write.ts";

const values: readonly unknown[] = [
  ...[
    0,
    1,
    255,
    256,
    65_535,
    65_536,
    2 ** 31,
    -1,
    -(2 ** 31),
    Number.MAX_SAFE_INTEGER,
    1.5,
    -0,
    2n ** 70n,
    -(2n ** 70n),
  ],
  ...["", "ä€😀", "x".repeat(300), true, false, null, new Uint8Array([1]), new Uint8Array(300)],
  ...[
    [],
    [1, [2]],
    {},
    { a: { b: [null] } },
    new Set([1, "a"]),
    new Map<unknown, unknown>([
      [1, "a"],
      ["b", 2],
    ]),
  ],
];

it("gives plain data back as it was", () => {
  for (const value of values) assert.deepStrictEqual(readPickle(writePickle(value, "value")), value);
});

it("names the path to what is no plain data", () => {
  assert.throws(
    () => writePickle({ at: [new Date()] }, "value"),
    /^SerializationError: value\.at\[0\] is a Date, which dicts and queues do not hold/,
  );
  const cycle: unknown[] = [];
  cycle.push(cycle);
  assert.throws(() => writePickle(cycle, "value"), /value\[0\] is a cycle/);
});

const program = `
import json, pickle, sys
import os
keys = ["a", "ä", "x" * 300, 0, 256, -1, 2**31, 2**53 - 1, 1.5, True, b"y"]
print(json.dumps([pickle.dumps(key, protocol=4).hex() for key in keys]))
print(pickle.dumps({"t": (1, (2, 3)), "again": ["s"] * 3, "f": frozenset([1]), "d": {1: {"k": b"v"}}}, protocol=4).hex())
print(pickle.dumps(os.getcwd, protocol=4).hex())
`;

it(
  "writes keys as Python does, and reads what Python writes, but for classes",
  { skip: missingClient(newestClient) },
  () => {
    const [keys = "", nested = "", code = ""] = execFileSync(clientProgram(newestClient, "python"), ["-c", program], {
      encoding: "utf8",
    }).split("\n");
    const own = ["a", "ä", "x".repeat(300), 0, 256, -1, 2 ** 31, Number.MAX_SAFE_INTEGER, 1.5, true, Buffer.from("y")];
    assert.deepEqual(
      own.map((key) => Buffer.from(writePickle(key, "key")).toString("hex")),
      JSON.parse(keys),
    );
    assert.deepStrictEqual(readPickle(Buffer.from(nested, "hex")), {
      ...{ t: [1, [2, 3]], again: ["s", "s", "s"], f: new Set([1]) },
      ...{ d: new Map([[1, { k: new Uint8Array([118]) }]]) },
    });
    assert.throws(() => readPickle(Buffer.from(code, "hex")), /no class is loaded here/);
    for (const wrong of ["", "80", "8004", "80044b", "800465", "8004680a2e", "8004583500000061"]) {
      assert.throws(() => readPickle(Buffer.from(wrong, "hex")), SerializationError, wrong);
    }
  },
);
