/** What a new connection is, told from its first bytes: a pure function, asked again with each byte that arrives. */

/** How an HTTP/2 client with prior knowledge begins. */
const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
/** How a worker begins a connection that it joins for a container, or for itself: this, a secret, a newline. */
const doorStart = Buffer.from("LYDIAN/1 ");
/** The most bytes of a door's line, its newline included. */
export const longestDoorLine = 256;
const tlsHandshake = 0x16;
const newline = 0x0a;

export type Kind =
  | { kind: "undecided" }
  | { kind: "grpc" }
  | { kind: "http" }
  | { kind: "tls" }
  /** `rest` is what followed the line. */
  | { kind: "door"; secret: string; rest: Buffer }
  /** A door's line that can only be wrong. */
  | { kind: "broken" };

/** Never undecided for longer than `longestDoorLine` bytes, so `head` stays small. */
export function kindOf(head: Buffer): Kind {
  if (head.length === 0) return { kind: "undecided" };
  if (head[0] === tlsHandshake) return { kind: "tls" };
  if (startsAlike(head, preface)) return head.length < preface.length ? { kind: "undecided" } : { kind: "grpc" };
  if (startsAlike(head, doorStart)) return doorOf(head);
  return { kind: "http" };
}

function doorOf(head: Buffer): Kind {
  const end = head.subarray(0, longestDoorLine).indexOf(newline);
  if (end === -1) return head.length < longestDoorLine ? { kind: "undecided" } : { kind: "broken" };
  if (end <= doorStart.length) return { kind: "broken" };
  return { kind: "door", secret: head.toString("latin1", doorStart.length, end), rest: head.subarray(end + 1) };
}

/** Whether one of the two is the beginning of the other. */
function startsAlike(head: Buffer, whole: Buffer): boolean {
  const length = Math.min(head.length, whole.length);
  return head.compare(whole, 0, length, 0, length) === 0;
}
