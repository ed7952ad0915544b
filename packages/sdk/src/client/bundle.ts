/** Calls with one request and one answer, bundled on one stream: a seventh of what a stream for each costs on both sides. */
import type http2 from "node:http2";

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { bundle as wire, frame, FrameReader } from "@lydian/contract";

import { abortError, type CallOptions, code, lateError, StatusError, throwUnlessOk } from "./status.ts";

export const carryPath = `/${wire.Bundles.typeName}/${wire.Bundles.method.carry.name}`;

export interface Answer {
  readonly message: Uint8Array;
  readonly trailers: http2.IncomingHttpHeaders;
}

/** The platform takes no bundles from this client: each call needs a stream of its own. */
export class NotBundledError extends Error {}

interface Waiting {
  readonly path: string;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

const longestTimeoutMs = 2 ** 31 - 1;

export class Bundle {
  readonly #stream: http2.ClientHttp2Stream;
  readonly #reader: FrameReader;
  readonly #waiting = new Map<number, Waiting>();
  #head: http2.IncomingHttpHeaders = {};
  #fault: Error | undefined;
  #isClosed = false;
  #isLast = false;
  #numbers = 0;
  #calls: wire.BundledCall[] = [];
  #givenUp: number[] = [];
  #isFlushing = false;

  /** `stream`: opened for `carryPath`. `mostBytes`: of one message of answers. */
  constructor(stream: http2.ClientHttp2Stream, mostBytes: number) {
    this.#stream = stream;
    this.#reader = new FrameReader(mostBytes, ({ kind }) => new StatusError(code.internal, `${carryPath}: ${kind}`));
    stream.on("response", (head) => (this.#head = { ...this.#head, ...head }));
    stream.on("trailers", (head) => (this.#head = { ...this.#head, ...head }));
    stream.on("data", (piece: Buffer) => this.#read(piece));
    stream.on("error", (error) => (this.#fault ??= new StatusError(code.unavailable, error.message)));
    stream.on("close", () => this.#end());
  }

  /** It takes no more calls. */
  get isOver(): boolean {
    return this.#isClosed || this.#isLast || this.#stream.closed || this.#stream.destroyed;
  }

  async call(path: string, request: Uint8Array, { headers, timeoutMs, signal }: CallOptions): Promise<Answer> {
    const number = ++this.#numbers;
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const leave = (error: Error): void => {
      if (!this.#waiting.has(number)) return;
      this.#givenUp.push(number);
      this.#flushSoon();
      reject(error);
    };
    const abort = (): void => leave(abortError(signal));
    const timer = setTimeout(() => leave(lateError(path, timeoutMs)), Math.min(timeoutMs, longestTimeoutMs));
    signal?.addEventListener("abort", abort, { once: true });
    this.#waiting.set(number, { path, resolve, reject });
    const wait = Math.max(1, Math.min(longestTimeoutMs, Math.ceil(timeoutMs)));
    this.#calls.push(create(wire.BundledCallSchema, { number, path, request, timeoutMs: wait, headers }));
    this.#flushSoon();
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      this.#waiting.delete(number);
      this.#endIfLast();
    }
  }

  /** Takes no more calls; ends when those on their way are answered. */
  finish(): void {
    this.#isLast = true;
    this.#endIfLast();
  }

  #endIfLast(): void {
    if (this.#isLast && this.#waiting.size === 0) this.#stream.end();
  }

  /** What is asked in one turn goes together. */
  #flushSoon(): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    setImmediate(() => {
      this.#isFlushing = false;
      const [calls, givenUp] = [this.#calls, this.#givenUp];
      this.#calls = [];
      this.#givenUp = [];
      if (this.#stream.destroyed || this.#stream.writableEnded) return; // whoever waits is told
      const message = create(wire.CarryRequestSchema, { calls, givenUp });
      this.#stream.write(frame(toBinary(wire.CarryRequestSchema, message)));
    });
  }

  #read(piece: Buffer): void {
    try {
      for (const message of this.#reader.push(piece))
        for (const answer of fromBinary(wire.CarryResponseSchema, message).answers) this.#settle(answer);
    } catch (error) {
      this.#fault ??= error as Error;
      this.#stream.close();
    }
  }

  #settle({ number, reply, trailers }: wire.BundledAnswer): void {
    const waiting = this.#waiting.get(number);
    if (waiting === undefined) return; // it was given up
    try {
      const { "grpc-status": status = "0" } = trailers;
      throwUnlessOk(waiting.path, { ...trailers, "grpc-status": status });
      waiting.resolve({ message: reply, trailers });
    } catch (error) {
      waiting.reject(error as Error);
    }
  }

  /** A status that ends the stream itself says that bundles are not for this client; anything else is a lost connection. */
  #end(): void {
    this.#isClosed = true;
    const { "grpc-status": status, ":status": http } = this.#head;
    const isRefused = (status !== undefined && status !== "0") || (http !== undefined && String(http) !== "200");
    for (const { path, reject } of this.#waiting.values()) {
      if (isRefused) reject(new NotBundledError(`${path}: ${String(status ?? http)}`));
      else
        reject(this.#fault ?? new StatusError(code.unavailable, `the connection was lost before ${path} was answered`));
    }
  }
}
