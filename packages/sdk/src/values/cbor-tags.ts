/** The tags of CBOR that values travel under, as registered. */
export const tag = {
  dateText: 0,
  dateSeconds: 1,
  positiveBigint: 2,
  negativeBigint: 3,
  /** A serialized object: its kind, then what it is made of. */
  object: 27,
  set: 258,
  selfDescribed: 55_799,
} as const;

/** Arrays of numbers, in the byte order of all machines that this runs on: the least first. */
const typed = [
  [68, Uint8ClampedArray],
  [69, Uint16Array],
  [70, Uint32Array],
  [71, BigUint64Array],
  [72, Int8Array],
  [77, Int16Array],
  [78, Int32Array],
  [79, BigInt64Array],
  [85, Float32Array],
  [86, Float64Array],
] as const;

/** By the array's constructor. */
export const typedArrayTags: ReadonlyMap<unknown, number> = new Map(typed.map(([number, type]) => [type, number]));

export const typedArrays: ReadonlyMap<number, (typeof typed)[number][1]> = new Map(
  typed.map(([number, type]) => [number, type]),
);
