/** One call on its HTTP/2 stream: what the client sends, what it is answered, and when it has gone. */
import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";

import { frame, type FrameFault, frameHead, FrameReader } from "@lydian/contract";

import { fail, tooLarge } from "../errors.ts";
import { answerHead, type Status, timeoutOf, trailersOf } from "./headers.ts";

/** A message from this size on is not copied once more for the head in front of it. */
const largeBytes = 16 * 1024;

/** setTimeout takes no more. */
const longestTimeoutMs = 2 ** 31 - 1;

export class GrpcCall<Peer> {
  /** Such as "/modal.client.ModalClient/AppCreate". */
  readonly path: string;
  /** Whom the connection belongs to. */
  readonly peer: Peer | undefined;
  /** When the client gives up, in milliseconds since the epoch; `Infinity` when it set no deadline. */
  readonly deadlineMs: number;
  /** The client has cancelled, its connection is lost, or its deadline has passed. Called once at most, not after `end`. */
  onGone: () => void = () => {};
  readonly #stream: ServerHttp2Stream;
  readonly #headers: IncomingHttpHeaders;
  readonly #mostBytes: number;
  readonly #deadline: NodeJS.Timeout | undefined;
  #state: "open" | "gone" | "ended" = "open";

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, peer: Peer | undefined, mostBytes: number) {
    this.path = headers[":path"] ?? "";
    this.peer = peer;
    this.#stream = stream;
    this.#headers = headers;
    this.#mostBytes = mostBytes;
    const timeoutMs = timeoutOf(headers);
    this.deadlineMs = Date.now() + timeoutMs;
    if (timeoutMs <= longestTimeoutMs) this.#deadline = setTimeout(() => this.#leave(), timeoutMs);
    stream.once("close", () => this.#leave());
  }

  /** A text value of the request's metadata; values that were said twice are joined by ", ". */
  header(name: string): string | undefined {
    const value = this.#headers[name];
    return typeof value === "string" ? value : value?.join(", ");
  }

  get isGone(): boolean {
    return this.#state === "gone";
  }

  /** The one message of a call that has one. Not a byte is read before this or `messages` is called. */
  message(): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const reader = new FrameReader(this.#mostBytes, (fault) => refusal(fault, this.#mostBytes));
      let isSettled = false; // what comes after that is dropped
      this.#stream.on("data", (piece: Buffer) => {
        if (isSettled) return;
        try {
          const [message] = reader.push(piece);
          if (message === undefined) return;
          resolve(message);
        } catch (error) {
          reject(error);
        }
        isSettled = true;
      });
      const missing = (): void => {
        if (!isSettled) reject(fail("invalidArgument", `The request of ${this.path} has no whole message.`));
        isSettled = true;
      };
      this.#stream.once("end", missing).once("close", missing);
      if (!this.#stream.readable) missing(); // it has no body at all, whose end nobody is told of
    });
  }

  /** The client's messages, until it has said its last one or is gone. Throws a ServerError for what is not well-formed. */
  async *messages(): AsyncGenerator<Buffer> {
    if (!this.#stream.readable) return; // it has no body at all
    const reader = new FrameReader(this.#mostBytes, (fault) => refusal(fault, this.#mostBytes));
    // Leaving the loop must not destroy the stream: its other direction is still in use.
    for await (const piece of this.#stream.iterator({ destroyOnReturn: false })) yield* reader.push(piece as Buffer);
    if (!reader.isBetweenMessages) throw fail("invalidArgument", `A message to ${this.path} is not whole.`);
  }

  /** False when the client reads more slowly than this: wait for `drained` before the next one. */
  send(message: Uint8Array): boolean {
    const stream = this.#stream;
    if (this.#state !== "open" || stream.destroyed) return false;
    if (!stream.headersSent) stream.respond(answerHead, { waitForTrailers: true });
    if (message.length < largeBytes) return stream.write(frame(message));
    stream.cork();
    stream.write(frameHead(message.length));
    const hasRoom = stream.write(message);
    stream.uncork();
    return hasRoom;
  }

  /** Resolves when there is room again, or nobody to read any more. */
  drained(): Promise<void> {
    const stream = this.#stream;
    return new Promise((resolve) => {
      const done = (): void => {
        stream.off("drain", done).off("close", done);
        resolve();
      };
      stream.on("drain", done).on("close", done);
      if (stream.destroyed) done();
    });
  }

  /** The last message, if there is one, and the status. Nothing happens when the client is gone, or had its answer. */
  end(status: Status, message?: Uint8Array): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    clearTimeout(this.#deadline);
    const stream = this.#stream;
    if (stream.destroyed || stream.closed) return;
    const trailers = trailersOf(status);
    if (stream.headersSent || message !== undefined) {
      stream.once("wantTrailers", () => stream.sendTrailers(trailers));
      if (!stream.headersSent) stream.respond(answerHead, { waitForTrailers: true });
      stream.end(message === undefined ? undefined : frame(message));
    } else {
      stream.respond({ ":status": 200, "content-type": "application/grpc+proto", ...trailers }, { endStream: true });
    }
    stream.resume(); // whatever the client still sends would else keep the connection's window
  }

  #leave(): void {
    clearTimeout(this.#deadline);
    if (this.#state !== "open") return;
    this.#state = "gone";
    this.onGone();
  }
}

function refusal(fault: FrameFault, most: number): Error {
  if (fault.kind === "tooLarge") return tooLarge(`The message has ${fault.bytes} bytes, and ${most} is the most`);
  return fail("unimplemented", "The message is compressed, and this server takes plain ones only.", {
    hint: "Turn compression off in the client",
  });
}
