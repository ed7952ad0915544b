/** Frames of HTTP/2 written out (RFC 9113), for what no client library sends. */

export const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

const types = { data: 0, headers: 1, reset: 3, settings: 4, goAway: 7 } as const;
const endStream = 0x1;
const endHeaders = 0x4;

/** The reason that a client gives when it wants no answer any more. */
const cancel = 0x8;

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

export const settings = (): Buffer => frame(types.settings, 0, 0, Buffer.alloc(0));

export function headers(stream: number, fields: Readonly<Record<string, string>>, isLast = false): Buffer {
  const block = Buffer.concat(Object.entries(fields).map(([name, value]) => literal(name, value)));
  return frame(types.headers, endHeaders | (isLast ? endStream : 0), stream, block);
}

export function data(stream: number, bytes: Buffer, isLast = true): Buffer {
  return frame(types.data, isLast ? endStream : 0, stream, bytes);
}

export function reset(stream: number): Buffer {
  const reason = Buffer.alloc(4);
  reason.writeUInt32BE(cancel);
  return frame(types.reset, 0, stream, reason);
}

export const goAway = (): Buffer => frame(types.goAway, 0, 0, Buffer.alloc(8));

/** A header field that is written out and not remembered (RFC 7541, 6.2.2). */
function literal(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.from([0]), text(name), text(value)]);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, "latin1");
  return Buffer.concat([prefixed(bytes.length), bytes]);
}

/** A number with a prefix of seven bits (RFC 7541, 5.1). */
function prefixed(value: number): Buffer {
  if (value < 127) return Buffer.from([value]);
  const bytes = [127];
  let rest = value - 127;
  for (; rest >= 128; rest >>= 7) bytes.push((rest & 127) | 128);
  return Buffer.from([...bytes, rest]);
}
