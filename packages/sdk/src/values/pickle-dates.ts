/** Dates as Python pickles aware datetimes: the only classes that a pickle may name, and none of them is looked up. */
import { SerializationError } from "../errors.ts";

/** How a class of Python is called. */
export class Maker {
  readonly call: (args: readonly unknown[]) => unknown;

  constructor(call: Maker["call"]) {
    this.call = call;
  }
}

/** A timedelta, and the timezone that is so far ahead of UTC. */
class Offset {
  readonly ms: number;

  constructor(ms: number) {
    this.ms = ms;
  }
}

/** What stands for something of Python's on the way to a Date, and is no value by itself. */
export const isPart = (value: unknown): boolean => value instanceof Maker || value instanceof Offset;

const dayMs = 86_400_000;

/** By module and name. */
export const makers: ReadonlyMap<unknown, Maker> = new Map([
  [
    "datetime.timedelta",
    new Maker(
      ([days, seconds, micros]) => new Offset(Number(days) * dayMs + Number(seconds) * 1000 + Number(micros) / 1000),
    ),
  ],
  ["datetime.timezone", new Maker(([offset]) => offset)],
  ["datetime.datetime", new Maker(([fields, zone]) => readDate(fields, zone))],
]);

function readDate(fields: unknown, zone: unknown): Date {
  if (!(fields instanceof Uint8Array) || fields.byteLength !== 10)
    throw new SerializationError("the bytes are no pickle");
  if (!(zone instanceof Offset)) {
    throw new SerializationError("it holds a datetime without a timezone, which may be any time", {
      hint: "put datetime.now(timezone.utc) there, or another with a timezone",
    });
  }
  const bytes = Buffer.from(fields);
  const date = new Date(0);
  // Years below 100 are not those of the last century here. The highest bit of the month tells the second of two equal hours.
  date.setUTCFullYear(bytes.readUInt16BE(0), (bytes.readUInt8(2) & 127) - 1, bytes.readUInt8(3));
  date.setUTCHours(
    bytes.readUInt8(4),
    bytes.readUInt8(5),
    bytes.readUInt8(6),
    Math.floor(bytes.readUIntBE(7, 3) / 1000),
  );
  return new Date(date.getTime() - zone.ms);
}

const named = (name: string): Buffer =>
  Buffer.concat(
    ["datetime", name].map((text) => Buffer.from(`\u008c${String.fromCharCode(text.length)}${text}`, "latin1")),
  );
const global = (name: string): Buffer => Buffer.concat([named(name), Buffer.from([0x93])]);
const head = Buffer.concat([global("datetime"), Buffer.from("C\n")]);
// timezone(timedelta(0, 0, 0)), and the call of what stands before it.
const tail = Buffer.concat([
  ...[global("timezone"), global("timedelta"), Buffer.from("K\0K\0K\0")],
  Buffer.from([0x87, 0x52, 0x85, 0x52, 0x86, 0x52]),
]);

/** The opcodes that push it. `path` leads to it, for errors. */
export function writeDate(date: Date, path: string): Uint8Array {
  const year = date.getUTCFullYear();
  if (!(year >= 1 && year <= 9999)) {
    throw new SerializationError(`${path} is a Date that Python has not`, {
      hint: "it has those of the years 1 to 9999",
    });
  }
  const fields = Buffer.alloc(10);
  fields.writeUInt16BE(year, 0);
  const parts = [
    date.getUTCMonth() + 1,
    date.getUTCDate(),
    date.getUTCHours(),
    date.getUTCMinutes(),
    date.getUTCSeconds(),
  ];
  fields.set(parts, 2);
  fields.writeUIntBE(date.getUTCMilliseconds() * 1000, 7, 3);
  return Buffer.concat([head, fields, tail]);
}
