/** Arguments as they travel: positional ones, and those by name, which only Python has. */
import { decodeCbor } from "./cbor-decode.ts";
import { encodeCbor } from "./cbor-encode.ts";

const mark = Symbol.for("lydian.kwargs");

/** How a list of two values begins in CBOR. */
const listOfTwo = Uint8Array.of(0x82);

/** Keyword arguments for a function of Python; the last argument of a call. */
export interface Kwargs<T> {
  readonly [mark]: T;
}

/** Keyword arguments of a function of Python, always last: `f.remote("x", kwargs({ scale: 2 }))`. */
export function kwargs<T extends Record<string, unknown>>(named: T): Kwargs<T> {
  return { [mark]: named };
}

/** Throws a SerializationError that names the argument, by its place from 0, and the path in it: `arguments[0].user`. */
export function encodeArguments(values: readonly unknown[]): Uint8Array {
  const last = values.at(-1);
  const isNamed = typeof last === "object" && last !== null && mark in last;
  const named = isNamed ? (last as Kwargs<object>)[mark] : {};
  const [positional, byName] = [isNamed ? values.slice(0, -1) : values, named];
  return Buffer.concat([listOfTwo, encodeCbor(positional, "arguments"), encodeCbor(byName, "kwargs")]);
}

/** What a handler is called with: arguments by name come as one object, after the others. */
export function decodeArguments(bytes: Uint8Array): unknown[] {
  const decoded = decodeCbor(bytes);
  const [values, named] = Array.isArray(decoded) ? (decoded as unknown[]) : [];
  if (!Array.isArray(values)) throw new TypeError("the input has no arguments");
  const isNamed = typeof named === "object" && named !== null && Object.keys(named).length > 0;
  return isNamed ? [...(values as unknown[]), named] : (values as unknown[]);
}
