/** Reads the CBOR that requests are described in. */

export type Decoded = number | string | Buffer | Decoded[] | { [key: string]: Decoded };

/** Throws at what a client's container would not take either. */
export function decodeCbor(bytes: Uint8Array): Decoded {
  const buffer = Buffer.from(bytes);
  let at = 0;
  const length = (info: number): number => {
    if (info < 24) return info;
    const size = 2 ** (info - 24);
    at += size;
    return buffer.readUIntBE(at - size, size);
  };
  const read = (): Decoded => {
    const head = buffer.readUInt8(at++);
    const [major, count] = [head >> 5, length(head & 31)];
    if (major === 0) return count;
    if (major === 2 || major === 3) {
      const content = buffer.subarray(at, (at += count));
      return major === 2 ? content : content.toString();
    }
    if (major === 4) return Array.from({ length: count }, read);
    if (major === 5) return Object.fromEntries(Array.from({ length: count }, () => [read(), read()]));
    throw new Error(`major type ${major} is not expected`);
  };
  const value = read();
  if (at !== buffer.length) throw new Error("there is more than one value");
  return value;
}
