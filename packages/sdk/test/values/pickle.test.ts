/** Plain data is pickled as Python does it, and read again; nothing that a pickle names is ever loaded. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { it } from "node:test";

import { clientProgram, missingClient, newestClient } from "@lydian/testkit";

import type { Client } from "../../src/client/client.ts";
import { Dict } from "../../src/objects/dict.ts";
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
    [new Date(0), new Date("2024-02-29T12:30:59.500Z"), new Date("0001-01-01T00:00:00Z")],
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
    () => writePickle({ at: [/x/] }, "value"),
    /^SerializationError: value\.at\[0\] is a RegExp, which dicts and queues do not hold/,
  );
  assert.throws(() => writePickle([new Date(NaN)], "value"), /value\[0\] is a Date that Python has not/);
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
from datetime import *
west = timezone(timedelta(hours=-5, minutes=-30))
aware = [datetime(2026, 1, 2, 3, 4, 5, 678901, timezone.utc), datetime(1999, 12, 31, 23, 0, tzinfo=west)]
print(json.dumps([pickle.dumps(each, protocol=4).hex() for each in (aware, datetime(2026, 1, 2), timedelta(1), timezone.utc, datetime)]))
print(pickle.loads(bytes.fromhex(sys.argv[1])))
`;
const times = { at: [new Date("2024-02-29T12:30:59.500Z"), new Date(0)] };

it(
  "writes keys as Python does, and reads what Python writes, but for classes",
  { skip: missingClient(newestClient) },
  () => {
    const sent = Buffer.from(writePickle(times, "value")).toString("hex");
    const answer = execFileSync(clientProgram(newestClient, "python"), ["-c", program, sent], { encoding: "utf8" });
    const [keys = "", nested = "", code = "", dates = "", got] = answer.split("\n");
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
    const utc = "tzinfo=datetime.timezone.utc)";
    const first = `datetime.datetime(2024, 2, 29, 12, 30, 59, 500000, ${utc}`;
    assert.equal(got, `{'at': [${first}, datetime.datetime(1970, 1, 1, 0, 0, ${utc}]}`);
    const [aware = "", naive = "", ...parts] = JSON.parse(dates) as string[];
    const read = (hex: string): unknown => readPickle(Buffer.from(hex, "hex"));
    assert.deepEqual(read(aware), [new Date("2026-01-02T03:04:05.678Z"), new Date("2000-01-01T04:30:00Z")]);
    assert.throws(() => read(naive), /a datetime without a timezone/);
    for (const part of parts) assert.throws(() => read(part), /no class is loaded here/);
    for (const wrong of ["", "80", "8004", "80044b", "800465", "8004680a2e", "8004583500000061"]) {
      assert.throws(() => readPickle(Buffer.from(wrong, "hex")), SerializationError, wrong);
    }
  },
);

it("refuses what would be another thing where it is read", async () => {
  class Point {
    x = 1;
  }
  assert.throws(
    () => writePickle({ at: new Point() }, "value"),
    /value\.at is a Point, which dicts and queues do not hold/,
  );
  assert.doesNotThrow(() => writePickle(Object.assign(Object.create(null), { a: 1 }), "value"));
  const client = { ask: async () => ({ dictId: "di-1" }) } as unknown as Client;
  const dict = Dict.fromName<unknown>("any", { client });
  for (const [key, text] of [
    [{ a: 1 }, "an object"],
    [[1], "an Array"],
    [undefined, "undefined"],
    [new Date(), "a Date"],
  ] as const) {
    await assert.rejects(dict.put(key, 1), new RegExp(`key is ${text}, which no key of a dict can be`));
  }
});
