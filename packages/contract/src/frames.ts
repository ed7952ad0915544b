/** gRPC's framing inside a stream: a byte that says whether it is compressed, four of length, the message. */

/** Why a message is not taken. */
export type FrameFault = { readonly kind: "compressed" } | { readonly kind: "tooLarge"; readonly bytes: number };

const headBytes = 5;

/** The message as it goes onto the wire, in one buffer. */
export function frame(message: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(headBytes + message.byteLength);
  writeHead(framed, message.byteLength);
  framed.set(message, headBytes);
  return framed;
}

/** What goes onto the wire in front of a message of so many bytes. */
export function frameHead(bytes: number): Buffer {
  return writeHead(Buffer.allocUnsafe(headBytes), bytes);
}

function writeHead(into: Buffer, bytes: number): Buffer {
  into[0] = 0;
  into.writeUInt32BE(bytes, 1);
  return into;
}

/** Cuts what arrives in pieces into messages; keeps no more than one message that is not whole yet. */
export class FrameReader {
  readonly #most: number;
  readonly #refuse: (fault: FrameFault) => Error;
  #pieces: Buffer[] = [];
  #bytes = 0;
  /** What the pieces must add up to for the next step: a head, or a head with its message. */
  #wanted = headBytes;

  /** `most`: the largest message, in bytes; `refuse` makes the error for one that is not taken. */
  constructor(most: number, refuse: (fault: FrameFault) => Error) {
    this.#most = most;
    this.#refuse = refuse;
  }

  /** Nothing is left that is only the beginning of a message. */
  get isBetweenMessages(): boolean {
    return this.#bytes === 0;
  }

  /** The messages that are whole with this piece. Throws for one that is compressed or too large, by its head. */
  push(piece: Buffer): Buffer[] {
    this.#pieces.push(piece);
    this.#bytes += piece.byteLength;
    const messages: Buffer[] = [];
    while (this.#bytes >= this.#wanted) {
      const all = this.#pieces.length === 1 ? (this.#pieces[0] ?? piece) : Buffer.concat(this.#pieces);
      this.#pieces = [all];
      const whole = headBytes + this.#lengthOf(all);
      this.#wanted = whole;
      if (all.byteLength < whole) break;
      messages.push(all.subarray(headBytes, whole));
      const rest = all.subarray(whole);
      this.#pieces = rest.byteLength === 0 ? [] : [rest];
      this.#bytes = rest.byteLength;
      this.#wanted = headBytes;
    }
    return messages;
  }

  #lengthOf(head: Buffer): number {
    if (head[0] !== 0) throw this.#refuse({ kind: "compressed" });
    const bytes = head.readUInt32BE(1);
    if (bytes > this.#most) throw this.#refuse({ kind: "tooLarge", bytes });
    return bytes;
  }
}
