/** gRPC from the caller's side, over Node's HTTP/2: one connection, unary calls and streams of answers, each with a deadline. */
import http2 from "node:http2";
import net from "node:net";

import { frame, FrameReader } from "@lydian/contract";

import { type Answer, Bundle, carryPath, NotBundledError } from "./bundle.ts";
import { abortError, type CallOptions, code, lateError, StatusError, throwUnlessOk, unreachable } from "./status.ts";

/** The most that a message may have, in bytes. */
const mostBytes = 100 * 1024 * 1024;

/** So much may be on its way unread, in bytes: results are larger than HTTP/2 expects. */
const windowBytes = 16 * 1024 * 1024;

/** Larger requests have a stream of their own, so that others need not wait behind them; in bytes. */
const mostBundled = 64 * 1024;

interface Connection {
  readonly session: http2.ClientHttp2Session;
  /** Under way. */
  calls: number;
  bundle?: Bundle;
  /** The platform takes no bundles from this client. */
  isPlain: boolean;
}

/** One call on a connection, with its deadline. */
class Exchange implements Disposable {
  readonly stream: http2.ClientHttp2Stream;
  readonly #path: string;
  readonly #reader: FrameReader;
  readonly #timer: NodeJS.Timeout;
  readonly #signal: AbortSignal | undefined;
  readonly #abort = (): void => this.end(abortError(this.#signal));
  readonly #over: () => void;
  #fault: Error | undefined;
  trailers: http2.IncomingHttpHeaders = {};

  constructor(
    session: http2.ClientHttp2Session,
    path: string,
    request: Uint8Array,
    { headers, timeoutMs, signal }: CallOptions,
    over: () => void,
  ) {
    this.#path = path;
    this.#over = over;
    this.#signal = signal;
    this.#reader = new FrameReader(mostBytes, ({ kind }) => new StatusError(code.internal, `${path}: ${kind}`));
    const grpcTimeout = `${Math.max(1, Math.min(99_999_999, Math.ceil(timeoutMs)))}m`;
    this.stream = session.request({ ...headOf(path), "grpc-timeout": grpcTimeout, ...headers });
    this.#timer = setTimeout(() => this.end(lateError(path, timeoutMs)), timeoutMs);
    signal?.addEventListener("abort", this.#abort, { once: true });
    this.stream.once("response", (head) => (this.trailers = { ...this.trailers, ...head }));
    this.stream.once("trailers", (head) => (this.trailers = { ...this.trailers, ...head }));
    this.stream.end(frame(request));
  }

  /** The messages that are whole with this piece; none of an answer that is not understood, which ends the call. */
  read(piece: Buffer): Uint8Array[] {
    try {
      return this.#reader.push(piece);
    } catch (error) {
      this.end(error as Error);
      return [];
    }
  }

  /** Ends the call, for this reason. */
  end(fault: Error): void {
    this.#fault ??= fault;
    this.stream.close(http2.constants.NGHTTP2_CANCEL);
  }

  throwUnlessOk(): void {
    if (this.#fault !== undefined) throw this.#fault;
    throwUnlessOk(this.#path, this.trailers);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#signal?.removeEventListener("abort", this.#abort);
    if (!this.stream.closed) this.stream.close(http2.constants.NGHTTP2_CANCEL);
    this.#over();
  }
}

const headOf = (path: string): http2.OutgoingHttpHeaders => ({
  ":method": "POST",
  ":path": path,
  "content-type": "application/grpc+proto",
  te: "trailers",
});

export class Channel {
  readonly #url: URL;
  readonly #headers: Readonly<Record<string, string>>;
  #connection: Connection | undefined;

  /** `url`: http://HOST:PORT, https://HOST:PORT or unix:/PATH. `headers`: of every call. */
  constructor(url: string, headers: Readonly<Record<string, string>>) {
    this.#url = new URL(url);
    this.#headers = headers;
  }

  /** The answer's one message, with what came beside its status. */
  async unary(path: string, request: Uint8Array, options: CallOptions): Promise<Answer> {
    options.signal?.throwIfAborted();
    const connection = this.#open();
    if (request.byteLength > mostBundled || connection.isPlain) return await this.#alone(path, request, options);
    this.#enter(connection);
    try {
      return await this.#bundleOf(connection).call(path, request, options);
    } catch (error) {
      if (!(error instanceof NotBundledError)) throw error;
      connection.isPlain = true;
    } finally {
      this.#leave(connection);
    }
    return await this.#alone(path, request, options);
  }

  async #alone(path: string, request: Uint8Array, options: CallOptions): Promise<Answer> {
    using exchange = this.#begin(path, request, options);
    const { stream } = exchange;
    let answer: Uint8Array | undefined;
    // By events, which take a tenth of the time of going through the stream.
    await new Promise<void>((resolve) => {
      stream.on("data", (piece: Buffer) => {
        for (const message of exchange.read(piece)) answer ??= message;
      });
      stream.once("error", (error) => exchange.end(unreachable(error)));
      stream.once("close", resolve);
    });
    exchange.throwUnlessOk();
    if (answer === undefined) throw new StatusError(code.internal, `${path} was answered without a message`);
    return { message: answer, trailers: exchange.trailers };
  }

  /** The answer's messages; leaving the loop cancels the call. */
  async *stream(path: string, request: Uint8Array, options: CallOptions): AsyncGenerator<Uint8Array, void> {
    using exchange = this.#begin(path, request, options);
    try {
      for await (const piece of exchange.stream) yield* exchange.read(piece as Buffer);
    } catch (error) {
      exchange.end(error instanceof StatusError ? error : unreachable(error));
    }
    exchange.throwUnlessOk();
  }

  close(): void {
    this.#connection?.session.destroy();
    this.#connection = undefined;
  }

  #begin(path: string, request: Uint8Array, options: CallOptions): Exchange {
    options.signal?.throwIfAborted();
    const connection = this.#open();
    this.#enter(connection);
    const whole = { ...options, headers: { ...this.#headers, ...options.headers } };
    return new Exchange(connection.session, path, request, whole, () => this.#leave(connection));
  }

  #enter(connection: Connection): void {
    if (connection.calls++ === 0) connection.session.ref();
  }

  #leave(connection: Connection): void {
    if (--connection.calls === 0) connection.session.unref(); // an idle connection keeps no process alive
  }

  #bundleOf(connection: Connection): Bundle {
    if (connection.bundle?.isOver === false) return connection.bundle;
    const stream = connection.session.request({ ...headOf(carryPath), ...this.#headers });
    return (connection.bundle = new Bundle(stream, mostBytes));
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
    const connection: Connection = { session, calls: 0, isPlain: false };
    session.on("goaway", () => connection.bundle?.finish());
    return (this.#connection = connection);
  }
}
