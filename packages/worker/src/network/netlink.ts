/** Requests to the kernel by netlink: little endian, in parts of four bytes, each answered by an error number. */
import { Buffer } from "node:buffer";

import { exchange, NamespaceCallError } from "./namespace-calls.ts";

const flag = { request: 1, acknowledge: 4, exclusive: 0x200, create: 0x400 } as const; // NLM_F_…
/** For the kind of an attribute that holds attributes. */
export const nested = 0x8000; // NLA_F_NESTED

export function attribute(kind: number, ...values: readonly Uint8Array[]): Buffer {
  const value = Buffer.concat(values);
  return padded(Buffer.concat([fields([2, 4 + value.length], [2, kind]), value]));
}

/** Numbers one after the other, each in so many bytes. */
export function fields(...numbers: readonly (readonly [bytes: 1 | 2 | 4, value: number])[]): Buffer {
  return Buffer.concat(
    numbers.map(([bytes, value]) => {
      const buffer = Buffer.alloc(bytes);
      buffer.writeUIntLE(value, 0, bytes);
      return buffer;
    }),
  );
}

/** An IPv4 address. */
export const octets = (address: string): Buffer => Buffer.from(address.split(".").map(Number));

/** A text that ends with a zero. */
export const text = (value: string): Buffer => Buffer.from(`${value}\0`);

export interface NetlinkRequest {
  /** Such as NETLINK_ROUTE. */
  readonly protocol: number;
  /** Such as RTM_NEWLINK. */
  readonly kind: number;
  readonly body: readonly Uint8Array[];
  /** It makes something that is not there. */
  readonly creates?: boolean;
}

/** `what` names the request for its error. Errors whose names are given as `expected` are answered instead of thrown. */
export function ask<Expected extends string>(
  what: string,
  { protocol, kind, body, creates = false }: NetlinkRequest,
  ...expected: readonly Expected[]
): Expected | "done" {
  const content = Buffer.concat(body);
  const flags = flag.request | flag.acknowledge | (creates ? flag.create | flag.exclusive : 0);
  const header = fields([4, 16 + content.length], [2, kind], [2, flags], [4, 0], [4, 0]); // struct nlmsghdr
  const reply = exchange(protocol, Buffer.concat([header, content]));
  const errno = -reply.readInt32LE(16); // struct nlmsgerr behind the header
  if (errno === 0) return "done";
  const error = new NamespaceCallError("netlink", what, errno);
  const known = expected.find((name) => name === error.code);
  if (known === undefined) throw error;
  return known;
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
}
