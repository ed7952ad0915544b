/**
 * Reads the part of Python's pickles that is plain data. A pickle can name any class, and code that is run as it is read; none
 * of that is ever done here: what names one is an error, but for aware datetimes, which are read as Dates.
 */
import { SerializationError } from "../errors.ts";
import { define } from "./error-value.ts";
import { isPart, Maker, makers } from "./pickle-dates.ts";

const mark = Symbol("mark");

export function readPickle(bytes: Uint8Array): unknown {
  return new Reader(bytes).run();
}

class Reader {
  readonly #bytes: Buffer;
  #at = 0;
  readonly #stack: unknown[] = [];
  readonly #memo = new Map<number, unknown>();

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  run(): unknown {
    for (;;) {
      const opcode = this.#byte();
      if (opcode === 0x2e) return plain(this.#pop()); // "."
      this.#step(opcode);
    }
  }

  #step(opcode: number): void {
    const found = scalars[opcode] ?? containers[opcode];
    if (found === undefined) throw unknownClass();
    found(this);
  }

  push(value: unknown): void {
    this.#stack.push(value);
  }

  #pop(): unknown {
    return this.take(1)[0];
  }

  /** What stands above the last mark. */
  above(): unknown[] {
    const at = this.#stack.lastIndexOf(mark);
    if (at === -1) throw malformed();
    return this.#stack.splice(at).slice(1);
  }

  take(count: number): unknown[] {
    if (count > this.#stack.length) throw malformed();
    return count === 0 ? [] : this.#stack.splice(-count);
  }

  /** The container on top, which is filled. */
  top<T>(type: abstract new (...args: never[]) => T): T {
    const value = this.#stack.at(-1);
    if (!(value instanceof type)) throw malformed();
    return value;
  }

  memoize(at = this.#memo.size): void {
    this.#memo.set(at, this.#stack.at(-1));
  }

  recall(at: number): void {
    if (!this.#memo.has(at)) throw malformed();
    this.push(this.#memo.get(at));
  }

  #byte(): number {
    return this.bytes(1).readUInt8();
  }

  bytes(length: number): Buffer {
    if (length < 0 || length > this.#bytes.byteLength - this.#at) throw malformed();
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  sized(bytes: 1 | 4 | 8): Buffer {
    if (bytes === 8) return this.bytes(Number(this.bytes(8).readBigUInt64LE()));
    return this.bytes(this.bytes(bytes).readUIntLE(0, bytes));
  }
}

type Step = (reader: Reader) => void;

const text =
  (bytes: 1 | 4 | 8): Step =>
  (reader) =>
    reader.push(reader.sized(bytes).toString("utf8"));
const blob =
  (bytes: 1 | 4 | 8): Step =>
  (reader) =>
    reader.push(Uint8Array.from(reader.sized(bytes)));
const tuple =
  (count: number): Step =>
  (reader) =>
    reader.push(reader.take(count));

const scalars: Readonly<Record<number, Step>> = {
  0x80: (reader) => void reader.bytes(1), // the protocol
  0x95: (reader) => void reader.bytes(8), // a frame
  0x4e: (reader) => reader.push(null),
  0x88: (reader) => reader.push(true),
  0x89: (reader) => reader.push(false),
  0x4a: (reader) => reader.push(reader.bytes(4).readInt32LE()),
  0x4b: (reader) => reader.push(reader.bytes(1).readUInt8()),
  0x4d: (reader) => reader.push(reader.bytes(2).readUInt16LE()),
  0x8a: (reader) => reader.push(integer(reader.sized(1))),
  0x8b: (reader) => reader.push(integer(reader.sized(4))),
  0x47: (reader) => reader.push(reader.bytes(8).readDoubleBE()),
  0x8c: text(1),
  0x58: text(4),
  0x8d: text(8),
  0x43: blob(1),
  0x42: blob(4),
  0x8e: blob(8),
  0x96: blob(8),
};

const containers: Readonly<Record<number, Step>> = {
  0x28: (reader) => reader.push(mark),
  0x5d: (reader) => reader.push([]),
  0x7d: (reader) => reader.push(new Map()),
  0x8f: (reader) => reader.push(new Set()),
  0x29: tuple(0),
  0x85: tuple(1),
  0x86: tuple(2),
  0x87: tuple(3),
  0x74: (reader) => reader.push(reader.above()),
  0x91: (reader) => reader.push(new Set(reader.above())),
  0x61: (reader) => append(reader, reader.take(1)),
  0x65: (reader) => append(reader, reader.above()),
  0x73: (reader) => setItems(reader, reader.take(2)),
  0x75: (reader) => setItems(reader, reader.above()),
  0x90: (reader) => {
    const items = reader.above();
    for (const item of items) reader.top(Set).add(item);
  },
  0x93: (reader) => {
    const maker = makers.get(reader.take(2).map(String).join("."));
    if (maker === undefined) throw unknownClass();
    reader.push(maker);
  },
  0x52: (reader) => {
    const [maker, args] = reader.take(2);
    if (!(maker instanceof Maker) || !Array.isArray(args)) throw malformed();
    reader.push(maker.call(args));
  },
  0x94: (reader) => reader.memoize(),
  0x71: (reader) => reader.memoize(reader.bytes(1).readUInt8()),
  0x72: (reader) => reader.memoize(reader.bytes(4).readUInt32LE()),
  0x68: (reader) => reader.recall(reader.bytes(1).readUInt8()),
  0x6a: (reader) => reader.recall(reader.bytes(4).readUInt32LE()),
};

function append(reader: Reader, items: readonly unknown[]): void {
  for (const item of items) reader.top<unknown[]>(Array).push(item);
}

function setItems(reader: Reader, items: readonly unknown[]): void {
  if (items.length % 2 !== 0) throw malformed();
  const dict = reader.top<Map<unknown, unknown>>(Map);
  for (let at = 0; at < items.length; at += 2) dict.set(items[at], items[at + 1]);
}

/** Two's complement, the least byte first. */
function integer(bytes: Buffer): number | bigint {
  if (bytes.byteLength === 0) return 0;
  const value = BigInt.asIntN(bytes.byteLength * 8, BigInt(`0x${Buffer.from(bytes.toReversed()).toString("hex")}`));
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}

/** Dicts with texts as keys are objects, as they are in results of functions. */
function plain(value: unknown): unknown {
  if (isPart(value)) throw unknownClass();
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Set) return new Set([...value].map(plain));
  if (!(value instanceof Map)) return value;
  const entries = [...value].map(([key, each]): [unknown, unknown] => [plain(key), plain(each)]);
  if (!entries.every(([key]) => typeof key === "string")) return new Map(entries);
  const object = {};
  for (const [key, each] of entries) define(object, String(key), each);
  return object;
}

function unknownClass(): SerializationError {
  return new SerializationError("it holds an object of a Python class, and no class is loaded here", {
    hint: "put plain data there: str, int, float, bool, None, bytes, list, tuple, dict, set, datetime with a timezone",
  });
}

function malformed(): SerializationError {
  return new SerializationError("the bytes are no pickle");
}
