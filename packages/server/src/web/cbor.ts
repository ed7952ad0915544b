/** The little of CBOR (RFC 8949) that a request's description needs: what containers of every supported client take. */

export type Cbor = number | string | Uint8Array | readonly Cbor[] | { readonly [key: string]: Cbor };

const majorOf = { number: 0, bytes: 2, text: 3, list: 4, map: 5 } as const;

/** Numbers are whole, from 0 to 2^32 - 1. */
export function encodeCbor(value: Cbor): Buffer {
  const pieces: Uint8Array[] = [];
  write(value, pieces);
  return Buffer.concat(pieces);
}

function write(value: Cbor, pieces: Uint8Array[]): void {
  if (typeof value === "number") pieces.push(head("number", value));
  else if (typeof value === "string") {
    const text = Buffer.from(value);
    pieces.push(head("text", text.length), text);
  } else if (value instanceof Uint8Array) pieces.push(head("bytes", value.length), value);
  else if (isList(value)) {
    pieces.push(head("list", value.length));
    for (const item of value) write(item, pieces);
  } else {
    const entries = Object.entries(value);
    pieces.push(head("map", entries.length));
    for (const [key, item] of entries) {
      write(key, pieces);
      write(item, pieces);
    }
  }
}

function isList(value: readonly Cbor[] | { readonly [key: string]: Cbor }): value is readonly Cbor[] {
  return Array.isArray(value);
}

function head(kind: keyof typeof majorOf, length: number): Buffer {
  const major = majorOf[kind] << 5;
  if (length < 24) return Buffer.from([major | length]);
  if (length < 0x100) return Buffer.from([major | 24, length]);
  const large = length < 0x10000 ? Buffer.alloc(3) : Buffer.alloc(5);
  large[0] = major | (large.length === 3 ? 25 : 26);
  large.writeUIntBE(length, 1, large.length - 1);
  return large;
}
