/**
 * Plain data as Python pickles it, for dicts and queues, which hold nothing else on the wire. Keys of a dict are compared byte
 * by byte, so strings and numbers are written exactly as Python's own pickler does (protocol 4).
 */
import { SerializationError } from "../errors.ts";
import { writeDate } from "./pickle-dates.ts";
import { withArticle } from "./with-article.ts";

/** Frames are written around what has at least so many bytes. */
const leastFramed = 4;

/** Throws a SerializationError that names the path, beginning with `name`, to what is no plain data. */
export function writePickle(value: unknown, name: string): Uint8Array {
  const writer = new Writer();
  writer.value(value, name);
  writer.add(".");
  const body = writer.finish();
  const head = Buffer.from([0x80, 4]);
  if (body.byteLength < leastFramed) return Buffer.concat([head, body]);
  const frame = Buffer.alloc(9);
  frame[0] = 0x95;
  frame.writeBigUInt64LE(BigInt(body.byteLength), 1);
  return Buffer.concat([head, frame, body]);
}

class Writer {
  readonly #pieces: Buffer[] = [];
  readonly #open = new Set<object>();

  finish(): Buffer {
    return Buffer.concat(this.#pieces);
  }

  add(...pieces: (string | number | Uint8Array)[]): void {
    for (const piece of pieces) {
      if (typeof piece === "number") this.#pieces.push(Buffer.from([piece]));
      else this.#pieces.push(typeof piece === "string" ? Buffer.from(piece, "latin1") : Buffer.from(piece));
    }
  }

  value(value: unknown, path: string): void {
    switch (typeof value) {
      case "undefined":
        return this.add("N");
      case "boolean":
        return this.add(value ? 0x88 : 0x89);
      case "number":
        return Number.isSafeInteger(value) && !Object.is(value, -0) ? this.#integer(BigInt(value)) : this.#float(value);
      case "bigint":
        return this.#integer(value);
      case "string":
        if (!value.isWellFormed()) throw new SerializationError(`${path} is a string with half a character in it`);
        return this.#sized(Buffer.from(value), [0x8c, "X".charCodeAt(0), 0x8d]);
      case "object":
        return value === null ? this.add("N") : this.#object(value, path);
      case "function":
      case "symbol":
        throw new SerializationError(`${path} is a ${typeof value}`);
    }
  }

  #integer(value: bigint): void {
    if (value >= 0n && value < 256n) return this.add("K", Number(value));
    if (value >= 0n && value < 65_536n) return this.add("M", Number(value & 255n), Number(value >> 8n));
    if (value >= -(2n ** 31n) && value < 2n ** 31n) {
      const bytes = Buffer.alloc(4);
      bytes.writeInt32LE(Number(value));
      return this.add("J", bytes);
    }
    const bytes: number[] = [];
    // Two's complement, the least byte first, and as few as the sign allows.
    for (let rest = value; ; rest >>= 8n) {
      bytes.push(Number(rest & 255n));
      const isWhole = rest >> 8n === (((bytes.at(-1) ?? 0) & 128) === 0 ? 0n : -1n);
      if (isWhole) break;
    }
    if (bytes.length < 256) return this.add(0x8a, bytes.length, Buffer.from(bytes));
    const length = Buffer.alloc(4);
    length.writeInt32LE(bytes.length);
    this.add(0x8b, length, Buffer.from(bytes));
  }

  #float(value: number): void {
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleBE(value);
    this.add("G", bytes);
  }

  /** With the opcodes for a length of one byte, of four, and of eight. */
  #sized(bytes: Uint8Array, [short, usual, long]: readonly [number, number, number]): void {
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(bytes.byteLength));
    if (bytes.byteLength < 256) this.add(short, bytes.byteLength, bytes, 0x94);
    else if (bytes.byteLength < 2 ** 32) this.add(usual, length.subarray(0, 4), bytes, 0x94);
    else this.add(long, length, bytes, 0x94);
  }

  #object(value: object, path: string): void {
    if (this.#open.has(value)) throw new SerializationError(`${path} is a cycle: it contains itself`);
    this.#open.add(value);
    if (value instanceof Uint8Array) this.#sized(value, ["C".charCodeAt(0), "B".charCodeAt(0), 0x8e]);
    else if (Array.isArray(value)) this.#list(value, path);
    else if (value instanceof Set) this.#set(value, path);
    else if (value instanceof Date) this.add(writeDate(value, path));
    else if (value instanceof Map) this.#dict([...value], path);
    else if (isPlain(value)) {
      this.#dict(
        Object.entries(value).filter(([, field]) => field !== undefined),
        path,
      );
    } else {
      const kind = value.constructor?.name ?? Object.prototype.toString.call(value).slice(8, -1);
      throw new SerializationError(`${path} is ${withArticle(kind)}, which dicts and queues do not hold`, {
        hint: "they hold plain data: texts, numbers, bytes, dates, arrays, objects, maps and sets",
      });
    }
    this.#open.delete(value);
  }

  #list(items: readonly unknown[], path: string): void {
    this.add("]", 0x94);
    if (items.length === 0) return;
    this.add("(");
    for (const [index, item] of items.entries()) this.value(item, `${path}[${index}]`);
    this.add("e");
  }

  #set(items: ReadonlySet<unknown>, path: string): void {
    this.add(0x8f, 0x94);
    if (items.size === 0) return;
    this.add("(");
    for (const item of items) this.value(item, `${path}.values()`);
    this.add(0x90);
  }

  #dict(entries: readonly (readonly [unknown, unknown])[], path: string): void {
    this.add("}", 0x94);
    if (entries.length === 0) return;
    this.add("(");
    for (const [key, value] of entries) {
      this.value(key, `${path}.keys()`);
      this.value(value, `${path}.${String(key)}`);
    }
    this.add("u");
  }
}

/** An object of any realm that has no class: what is an instance here would be a plain object wherever it is read. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === null) return true;
  const isRoot = Object.getPrototypeOf(prototype) === null;
  return isRoot && Object.prototype.toString.call(value) === "[object Object]";
}
