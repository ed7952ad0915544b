/** gRPC from the caller's side, over Node's HTTP/2: one connection, unary calls and streams of answers, each with a deadline. */
import http2 from "node:http2";
import net from "node:net";

import { frame, FrameReader } from "@lydian/contract";

/** The numbers of gRPC's statuses. */
export const code = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  outOfRange: 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;

/** The end of a call that did not succeed. */
export class StatusError extends Error {
  readonly code: number;
  /** The answer's trailers. */
  readonly trailers: http2.IncomingHttpHeaders;

  constructor(code: number, message: string, trailers: http2.IncomingHttpHeaders = {}) {
    super(message);
    this.code = code;
    this.trailers = trailers;
  }
}

export interface CallOptions {
  readonly headers: Readonly<Record<string, string>>;
  /** How long the call may take, in milliseconds. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** The most that a message may have, in bytes. */
const mostBytes = 100 * 1024 * 1024;

/** So much may be on its way unread, in bytes: results are larger than HTTP/2 expects. */
const windowBytes = 16 * 1024 * 1024;

interface Connection {
  readonly session: http2.ClientHttp2Session;
  /** Under way. */
  calls: number;
}

export class Channel {
  readonly #url: URL;
  #connection: Connection | undefined;

  /** `url`: http://HOST:PORT, https://HOST:PORT or unix:/PATH. */
  constructor(url: string) {
    this.#url = new URL(url);
  }

  /** The answer's one message. `onTrailers` is given what came with the status. */
  async unary(
    path: string,
    request: Uint8Array,
    options: CallOptions,
    onTrailers?: (trailers: http2.IncomingHttpHeaders) => void,
  ): Promise<Uint8Array> {
    let answer: Uint8Array | undefined;
    for await (const message of this.stream(path, request, options, onTrailers)) answer ??= message;
    if (answer === undefined) throw new StatusError(code.internal, `${path} was answered without a message`);
    return answer;
  }

  /** The answer's messages; leaving the loop cancels the call. */
  async *stream(
    path: string,
    request: Uint8Array,
    options: CallOptions,
    onTrailers?: (trailers: http2.IncomingHttpHeaders) => void,
  ): AsyncGenerator<Uint8Array, void> {
    options.signal?.throwIfAborted();
    const connection = this.#open();
    const { session } = connection;
    if (connection.calls++ === 0) session.ref();
    try {
      yield* this.#exchange(session, path, request, options, onTrailers);
    } finally {
      if (--connection.calls === 0) session.unref(); // an idle connection keeps no process alive
    }
  }

  close(): void {
    this.#connection?.session.destroy();
    this.#connection = undefined;
  }

  async *#exchange(
    session: http2.ClientHttp2Session,
    path: string,
    request: Uint8Array,
    { headers, timeoutMs, signal }: CallOptions,
    onTrailers?: (trailers: http2.IncomingHttpHeaders) => void,
  ): AsyncGenerator<Uint8Array, void> {
    const stream = session.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc+proto",
      te: "trailers",
      "grpc-timeout": `${Math.max(1, Math.min(99_999_999, Math.ceil(timeoutMs)))}m`,
      ...headers,
    });
    let fault: Error | undefined;
    const end = (error: Error): void => {
      fault ??= error;
      stream.close(http2.constants.NGHTTP2_CANCEL);
    };
    const late = new StatusError(code.deadlineExceeded, `${path} was not answered within ${Math.ceil(timeoutMs)} ms`);
    const timer = setTimeout(() => end(late), timeoutMs);
    const abort = (): void => end(abortError(signal));
    signal?.addEventListener("abort", abort, { once: true });
    let trailers: http2.IncomingHttpHeaders = {};
    stream.on("response", (head) => (trailers = { ...trailers, ...head }));
    stream.on("trailers", (head) => (trailers = { ...trailers, ...head }));
    try {
      stream.end(frame(request));
      const reader = new FrameReader(mostBytes, ({ kind }) => new StatusError(code.internal, `${path}: ${kind}`));
      for await (const piece of stream) for (const message of reader.push(piece as Buffer)) yield message;
      if (fault !== undefined) throw fault;
      onTrailers?.(trailers);
      throwUnlessOk(path, trailers);
    } catch (error) {
      if (fault !== undefined) throw fault;
      throw error instanceof StatusError ? error : unreachable(error);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      if (!stream.closed) stream.close(http2.constants.NGHTTP2_CANCEL);
    }
  }

  #open(): Connection {
    const open = this.#connection;
    if (open !== undefined && !open.session.closed && !open.session.destroyed) return open;
    const { protocol, pathname, origin } = this.#url;
    const settings = { settings: { initialWindowSize: windowBytes } };
    const session =
      protocol === "unix:"
        ? http2.connect("http://localhost", { ...settings, createConnection: () => net.connect(pathname) })
        : http2.connect(origin, settings);
    session.on("error", () => {}); // the calls that were on it fail, and say why
    session.once("connect", () => session.setLocalWindowSize(windowBytes));
    session.unref();
    this.#connection = { session, calls: 0 };
    return this.#connection;
  }
}

function throwUnlessOk(path: string, trailers: http2.IncomingHttpHeaders): void {
  const { "grpc-status": status, "grpc-message": text, ":status": http } = trailers;
  if (status === "0") return;
  if (status === undefined) throw new StatusError(code.unavailable, `${path} was answered by HTTP ${String(http)}`);
  throw new StatusError(Number(status), readText(String(text ?? "")), trailers);
}

/** Texts are percent-encoded, and one that is not well-formed is shown as it is. */
function readText(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function abortError(signal: AbortSignal | undefined): Error {
  const reason: unknown = signal?.reason;
  return reason instanceof Error ? reason : new Error("the call was stopped", { cause: reason });
}

function unreachable(error: unknown): StatusError {
  return new StatusError(code.unavailable, error instanceof Error ? error.message : String(error));
}
