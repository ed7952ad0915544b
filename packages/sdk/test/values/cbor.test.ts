/** Values come back as what they were, as other languages write them as well; what cannot travel is named by its path. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { it } from "node:test";

import { clientProgram, missingClient, newestClient } from "@lydian/testkit";

import { SerializationError } from "../../src/errors.ts";
import { decodeCbor, Tagged } from "../../src/values/cbor-decode.ts";
import { encodeCbor } from "../../src/values/cbor-encode.ts";

const back = (value: unknown): unknown => decodeCbor(encodeCbor(value));

const values: readonly unknown[] = [
  ...[0, 1, 23, 24, 255, 256, 65_535, 65_536, 2 ** 32, Number.MAX_SAFE_INTEGER, -1, -24, -25, Number.MIN_SAFE_INTEGER],
  ...[0.5, -0, Number.NaN, Number.POSITIVE_INFINITY, 1e300, 2 ** 60],
  ...[0n, 5n, -5n, 2n ** 70n, -(2n ** 70n)],
  ...["", "ä€😀", "x".repeat(70_000), true, false, null, undefined],
  ...[[], [1, [2, [3]]], [undefined], {}, { a: 1, "b c": { d: null } }, { ["__proto__"]: 1 }],
  ...[new Uint8Array([1, 2]), new Float32Array([1.5]), new BigInt64Array([-1n]), new Uint8ClampedArray([7])],
  ...[
    new Date("2026-11-30T12:00:00.123Z"),
    new Set([1, "a"]),
    new Map<unknown, unknown>([
      [{ a: 1 }, new Set()],
      [1, 2],
    ]),
  ],
];

it("gives each value back as it was", () => {
  for (const value of values) assert.deepStrictEqual(back(value), value);
  assert.deepStrictEqual(back(new Map([["a", 1]])), new Map([["a", 1]]), "a map is no object, also with texts as keys");
  assert.deepStrictEqual(back({ a: undefined, b: 1 }), { b: 1 }, "a property that is undefined is left out");
});

it("gives errors back with name, message, stack, cause and fields", () => {
  class NotFound extends Error {
    override readonly name = "NotFound";
    readonly id = 7;
  }
  const error = new NotFound("no user 7", { cause: new TypeError("inner") });
  const found = back(error) as Error & { data?: unknown };
  assert.ok(found instanceof Error);
  assert.deepEqual([found.name, found.message, found.stack], ["NotFound", "no user 7", error.stack]);
  assert.equal((found as unknown as { id: number }).id, 7);
  assert.ok(found.cause instanceof Error && found.cause.name === "TypeError");
});

it("takes an instance of a class for its fields", () => {
  class Point {
    x = 1;
    #secret = 2;
    sum(): number {
      return this.x + this.#secret;
    }
  }
  assert.deepStrictEqual(back(new Point()), { x: 1 });
});

it("names the path to what cannot travel", () => {
  const cycle: { self?: unknown } = {};
  cycle.self = cycle;
  const refused: readonly [unknown, string][] = [
    [{ user: { save: () => {} } }, "result.user.save is a function"],
    [[1, [Symbol("x")]], "result[1][0] is a symbol"],
    [cycle, "result.self is a cycle: it contains itself"],
    [{ later: Promise.resolve() }, "result.later is a Promise: await it first"],
    [new Map([["k", /x/]]), 'result.get("k") is a RegExp, which has no form that travels'],
    [{ "a b": new Date(Number.NaN) }, 'result["a b"] is an invalid Date'],
    ["\ud800", "result is a string with half a character in it, which is no Unicode"],
  ];
  for (const [value, message] of refused) {
    assert.throws(() => encodeCbor(value, "result"), new SerializationError(message));
  }
});

it("refuses bytes that are no CBOR, whatever they claim", () => {
  const wrong = ["", "9f", "5bffffffffffffffff", "9bffffffffffffffff", "bf61", "ff", "61ff", "0000", "1f", "c2f6"];
  for (const hex of wrong) assert.throws(() => decodeCbor(Buffer.from(hex, "hex")), SerializationError, hex);
  assert.throws(() => decodeCbor(Buffer.alloc(100_000, 0x81)), /nested more than 500 deep/);
});

const program = `
import sys, cbor2, datetime, uuid
given = cbor2.loads(bytes.fromhex(sys.argv[1]))
kinds = [type(each).__name__ for each in given]
made = cbor2.dumps([2**64, -2**64, 1.5, "x", b"y", None, {1: "a"}, {"k": {2, 3}}, datetime.datetime(2026, 11, 30, tzinfo=datetime.timezone.utc), (1, 2), uuid.UUID(int=1)])
print(kinds, given[3].isoformat(), made.hex(), sep="\\n")
`;

it(
  "is read by the Python client's own codec, and reads what that writes",
  { skip: missingClient(newestClient) },
  () => {
    const sent = [
      1,
      1.5,
      5n,
      new Date(0),
      new Set([1]),
      new Map([[1, 2]]),
      { a: 1 },
      new Uint8Array([1]),
      null,
      new Float32Array([1]),
    ];
    const hex = Buffer.from(encodeCbor(sent)).toString("hex");
    const [kinds, date, made = ""] = execFileSync(clientProgram(newestClient, "python"), ["-c", program, hex], {
      encoding: "utf8",
    }).split("\n");
    assert.equal(kinds, "['int', 'float', 'int', 'datetime', 'set', 'dict', 'dict', 'bytes', 'NoneType', 'CBORTag']");
    assert.equal(date, "1970-01-01T00:00:00+00:00");
    const [large, small, float, text, bytes, none, byNumber, nested, day, pair, id] = decodeCbor(
      Buffer.from(made, "hex"),
    ) as unknown[];
    assert.deepStrictEqual(
      [large, small, float, text, bytes, none],
      [2n ** 64n, -(2n ** 64n), 1.5, "x", new Uint8Array([121]), null],
    );
    assert.deepStrictEqual([byNumber, nested], [new Map([[1, "a"]]), { k: new Set([2, 3]) }]);
    assert.deepStrictEqual([day, pair], [new Date("2026-11-30T00:00:00Z"), [1, 2]]);
    assert.ok(id instanceof Tagged && id.tag === 37);
  },
);
