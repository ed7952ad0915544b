/** CBOR to values. The bytes may come from anywhere: what is not well-formed is an error, and never more than what is there is read. */
import { SerializationError } from "../errors.ts";
import { define, errorOf } from "./error-value.ts";
import { tag, typedArrays } from "./cbor-tags.ts";

/** Something of another language that has no counterpart here: CBOR's own number for what it is, and what it is made of. */
export class Tagged {
  /** Its number. */
  readonly tag: number;
  /** What it is of. */
  readonly value: unknown;

  constructor(tag: number, value: unknown) {
    this.tag = tag;
    this.value = value;
  }
}

/** Deeper values would take all of the stack. */
const deepest = 500;

export function decodeCbor(bytes: Uint8Array): unknown {
  const decoder = new Decoder(bytes);
  const value = decoder.value(0);
  decoder.end();
  return value;
}

const end = Symbol("end");

class Decoder {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  end(): void {
    if (this.#at !== this.#bytes.byteLength) throw malformed("there is more than one value");
  }

  value(depth: number): unknown {
    const value = this.#item(depth);
    if (value === end) throw malformed("something ends that has not begun");
    return value;
  }

  #item(depth: number): unknown {
    if (depth > deepest) throw malformed(`it is nested more than ${deepest} deep`);
    const first = this.#take(1)[0] ?? 0;
    const [type, info] = [first >> 5, first & 31];
    if (type === 7) return this.#simple(info);
    if (info === 31) return this.#indefinite(type, depth);
    const argument = this.#argument(info);
    switch (type) {
      case 0:
        return argument;
      case 1:
        return typeof argument === "number" && argument < Number.MAX_SAFE_INTEGER
          ? -1 - argument
          : -1n - BigInt(argument);
      case 2:
        return Uint8Array.from(this.#take(argument));
      case 3:
        return this.#text(argument);
      case 4:
        return this.#array(this.#count(argument), depth);
      case 5:
        return this.#map(this.#count(argument), depth);
      default:
        return this.#tagged(Number(argument), depth);
    }
  }

  #argument(info: number): number | bigint {
    if (info < 24) return info;
    if (info === 24) return this.#take(1).readUInt8();
    if (info === 25) return this.#take(2).readUInt16BE();
    if (info === 26) return this.#take(4).readUInt32BE();
    if (info !== 27) throw malformed(`a length is of the unknown form ${info}`);
    const large = this.#take(8).readBigUInt64BE();
    return large <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(large) : large;
  }

  #simple(info: number): unknown {
    switch (info) {
      case 20:
        return false;
      case 21:
        return true;
      case 22:
        return null;
      case 23:
        return undefined;
      case 25:
        return halfFloat(this.#take(2).readUInt16BE());
      case 26:
        return this.#take(4).readFloatBE();
      case 27:
        return this.#take(8).readDoubleBE();
      case 31:
        return end;
      default:
        throw malformed(`the simple value ${info} is unknown`);
    }
  }

  #text(length: number | bigint): string {
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(this.#take(length));
    } catch (error) {
      if (error instanceof SerializationError) throw error;
      throw malformed("a text is not UTF-8");
    }
  }

  #array(count: number, depth: number): unknown[] {
    const items: unknown[] = [];
    for (let index = 0; index < count; index++) items.push(this.value(depth + 1));
    return items;
  }

  /** An object; but one with keys that are no texts, as other languages have them, is a Map. */
  #map(count: number, depth: number): object {
    const entries: [unknown, unknown][] = [];
    for (let index = 0; index < count; index++) entries.push([this.value(depth + 1), this.value(depth + 1)]);
    if (!entries.every(([key]) => typeof key === "string")) return new Map(entries);
    const object = {};
    for (const [key, value] of entries) define(object, String(key), value);
    return object;
  }

  #indefinite(type: number, depth: number): unknown {
    const items: unknown[] = [];
    for (let item = this.#item(depth + 1); item !== end; item = this.#item(depth + 1)) items.push(item);
    switch (type) {
      case 2:
        return Uint8Array.from(Buffer.concat(items.filter((item) => item instanceof Uint8Array)));
      case 3:
        return items.join("");
      case 4:
        return items;
      case 5:
        if (items.length % 2 !== 0) throw malformed("a map has a key without a value");
        return new Map(Array.from({ length: items.length / 2 }, (_, at) => [items[2 * at], items[2 * at + 1]]));
      default:
        throw malformed(`something of type ${type} has no length`);
    }
  }

  #tagged(number: number, depth: number): unknown {
    const content = this.value(depth + 1);
    switch (number) {
      case tag.dateText:
      case tag.dateSeconds:
        return dateOf(content);
      case tag.positiveBigint:
        return bigintOf(content);
      case tag.negativeBigint:
        return -1n - bigintOf(content);
      case tag.set:
        return new Set(arrayOf(content, "a set"));
      case tag.object: {
        const [kind, fields] = arrayOf(content, "an object");
        return kind === "Error" ? errorOf(fields) : new Tagged(number, content);
      }
      case tag.selfDescribed:
        return content ?? undefined;
      default:
        return typedArrayOf(number, content) ?? new Tagged(number, content);
    }
  }

  /** Each item takes a byte at least, so a count beyond what is left is a lie. */
  #count(argument: number | bigint): number {
    if (argument > this.#bytes.byteLength - this.#at) throw malformed("it ends too early");
    return Number(argument);
  }

  #take(length: number | bigint): Buffer {
    const until = this.#at + this.#count(length);
    const taken = this.#bytes.subarray(this.#at, until);
    this.#at = until;
    return taken;
  }
}

function dateOf(content: unknown): Date {
  const date = typeof content === "number" ? new Date(content * 1000) : new Date(String(content));
  if (Number.isNaN(date.getTime())) throw malformed(`${String(content)} is no date`);
  return date;
}

function bigintOf(content: unknown): bigint {
  if (!(content instanceof Uint8Array)) throw malformed("a large integer has no bytes");
  return content.byteLength === 0 ? 0n : BigInt(`0x${Buffer.from(content).toString("hex")}`);
}

function arrayOf(content: unknown, what: string): unknown[] {
  if (!Array.isArray(content)) throw malformed(`${what} is no array`);
  return content;
}

function typedArrayOf(number: number, content: unknown): unknown {
  const type = typedArrays.get(number);
  if (type === undefined) return undefined;
  if (!(content instanceof Uint8Array) || content.byteLength % type.BYTES_PER_ELEMENT !== 0) {
    throw malformed("an array of numbers has half a number in it");
  }
  const { buffer } = Uint8Array.from(content); // aligned, and nobody else's
  return new type(buffer);
}

function halfFloat(bits: number): number {
  const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
  const size =
    exponent === 0
      ? fraction * 2 ** -24
      : exponent === 31
        ? fraction === 0
          ? Number.POSITIVE_INFINITY
          : Number.NaN
        : (1 + fraction / 1024) * 2 ** (exponent - 15);
  return bits & 0x8000 ? -size : size;
}

function malformed(why: string): SerializationError {
  return new SerializationError(`the bytes are no CBOR: ${why}`);
}
