/**
 * Values to CBOR, so that each of them comes back as what it was: a Map is told from an object by the form of its length,
 * a bigint by its tag, and an undefined that stands alone by a tag around null, which other languages read as nothing.
 */
import { SerializationError } from "../errors.ts";
import { errorFields } from "./error-value.ts";
import { tag, typedArrayTags } from "./cbor-tags.ts";
import { withArticle } from "./with-article.ts";

const major = { unsigned: 0, negative: 1, bytes: 2, text: 3, array: 4, map: 5, tag: 6 } as const;
const simple = {
  false: 0xf4,
  true: 0xf5,
  null: 0xf6,
  undefined: 0xf7,
  float64: 0xfb,
  indefiniteMap: 0xbf,
  end: 0xff,
} as const;

/** Throws a SerializationError that names the path, beginning with `name`, to what cannot travel. */
export function encodeCbor(value: unknown, name = "value"): Uint8Array {
  const encoder = new Encoder(name);
  encoder.whole(value);
  return encoder.finish();
}

class Encoder {
  #bytes = Buffer.allocUnsafe(256);
  #length = 0;
  /** From the whole to what is being written. */
  readonly #path: string[];
  /** The objects on the path, to notice one inside of itself. */
  readonly #open = new Set<object>();

  constructor(name: string) {
    this.#path = [name];
  }

  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  whole(value: unknown): void {
    if (value !== undefined) return this.#value(value);
    this.#head(major.tag, tag.selfDescribed);
    this.#byte(simple.null);
  }

  #value(value: unknown): void {
    switch (typeof value) {
      case "undefined":
        return this.#byte(simple.undefined);
      case "boolean":
        return this.#byte(value ? simple.true : simple.false);
      case "number":
        return this.#number(value);
      case "bigint":
        return this.#bigint(value);
      case "string":
        return this.#text(value);
      case "object":
        return value === null ? this.#byte(simple.null) : this.#object(value);
      case "function":
      case "symbol":
        throw this.#refused(`is a ${typeof value}`);
    }
  }

  #number(value: number): void {
    if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
      return value >= 0 ? this.#head(major.unsigned, value) : this.#head(major.negative, -1 - value);
    }
    this.#room(9);
    this.#bytes[this.#length] = simple.float64;
    this.#bytes.writeDoubleBE(value, this.#length + 1);
    this.#length += 9;
  }

  #bigint(value: bigint): void {
    this.#head(major.tag, value >= 0n ? tag.positiveBigint : tag.negativeBigint);
    const hex = (value >= 0n ? value : -1n - value).toString(16);
    this.#blob(major.bytes, Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex"));
  }

  #text(value: string): void {
    if (!value.isWellFormed()) throw this.#refused("is a string with half a character in it, which is no Unicode");
    this.#blob(major.text, Buffer.from(value));
  }

  #object(value: object): void {
    if (this.#open.has(value)) throw this.#refused("is a cycle: it contains itself");
    if (value instanceof Uint8Array && !(value instanceof Uint8ClampedArray)) return this.#blob(major.bytes, value);
    if (value instanceof ArrayBuffer) return this.#blob(major.bytes, new Uint8Array(value));
    if (value instanceof Date) return this.#date(value);
    this.#open.add(value);
    if (Array.isArray(value)) this.#array(value);
    else if (value instanceof Map) this.#map(value);
    else if (value instanceof Set) this.#tagged(tag.set, [...value]);
    else if (value instanceof Error) this.#tagged(tag.object, ["Error", errorFields(value)]);
    else if (ArrayBuffer.isView(value)) this.#view(value);
    else this.#fields(value);
    this.#open.delete(value);
  }

  #date(value: Date): void {
    if (Number.isNaN(value.getTime())) throw this.#refused("is an invalid Date");
    this.#head(major.tag, tag.dateText);
    this.#text(value.toISOString());
  }

  #array(items: readonly unknown[]): void {
    this.#head(major.array, items.length);
    for (let index = 0; index < items.length; index++) this.#inside(`[${index}]`, items[index]);
  }

  /** Of a length that is not said: what tells it from an object. */
  #map(map: ReadonlyMap<unknown, unknown>): void {
    this.#byte(simple.indefiniteMap);
    for (const [key, value] of map) {
      const name = typeof key === "string" ? JSON.stringify(key) : String(key);
      this.#inside(`.key(${name})`, key);
      this.#inside(`.get(${name})`, value);
    }
    this.#byte(simple.end);
  }

  #tagged(number: number, content: readonly unknown[]): void {
    this.#head(major.tag, number);
    this.#array(content);
  }

  #view(value: ArrayBufferView): void {
    const number = typedArrayTags.get(value.constructor);
    if (number === undefined) throw this.#refused(`is a ${value.constructor.name}; send its bytes as a Uint8Array`);
    this.#head(major.tag, number);
    this.#blob(major.bytes, new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  }

  /** Own fields, of an instance of a class as well; those that are undefined are left out. */
  #fields(value: object): void {
    const kind = Object.prototype.toString.call(value).slice("[object ".length, -1);
    if (kind === "Promise") throw this.#refused("is a Promise: await it first");
    if (kind !== "Object") throw this.#refused(`is ${withArticle(kind)}, which has no form that travels`);
    const entries = Object.entries(value).filter(([, field]) => field !== undefined);
    this.#head(major.map, entries.length);
    for (const [name, field] of entries) {
      this.#text(name);
      this.#inside(
        /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`,
        field,
      );
    }
  }

  #inside(step: string, value: unknown): void {
    this.#path.push(step);
    this.#value(value);
    this.#path.pop();
  }

  #blob(type: number, bytes: Uint8Array): void {
    this.#head(type, bytes.byteLength);
    this.#room(bytes.byteLength);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.byteLength;
  }

  #head(type: number, argument: number): void {
    this.#room(9);
    const at = this.#length;
    const first = type << 5;
    if (argument < 24) this.#length = this.#bytes.writeUInt8(first | argument, at);
    else if (argument < 2 ** 8) this.#length = this.#bytes.writeUInt8(argument, this.#bytes.writeUInt8(first | 24, at));
    else if (argument < 2 ** 16)
      this.#length = this.#bytes.writeUInt16BE(argument, this.#bytes.writeUInt8(first | 25, at));
    else if (argument < 2 ** 32)
      this.#length = this.#bytes.writeUInt32BE(argument, this.#bytes.writeUInt8(first | 26, at));
    else this.#length = this.#bytes.writeBigUInt64BE(BigInt(argument), this.#bytes.writeUInt8(first | 27, at));
  }

  #byte(value: number): void {
    this.#room(1);
    this.#bytes[this.#length++] = value;
  }

  #room(bytes: number): void {
    if (this.#length + bytes <= this.#bytes.byteLength) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.byteLength * 2, this.#length + bytes));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }

  #refused(what: string): SerializationError {
    return new SerializationError(`${this.#path.join("")} ${what}`);
  }
}
