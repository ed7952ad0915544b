/** Turns service descriptors and typed handlers into a gRPC server: identity, access, codecs, errors, streams. */
import type { EventEmitter } from "node:events";
import type { ServerHttp2Stream } from "node:http2";

import { create, type DescMethod, type Message, toBinary } from "@bufbuild/protobuf";
import {
  type Metadata,
  type MethodDefinition,
  type sendUnaryData,
  Server,
  type ServerDuplexStream,
  ServerInterceptingCall,
  type ServerInterceptor,
  type ServerUnaryCall,
  type ServerWritableStream,
} from "@grpc/grpc-js";
import type { Logger } from "@lydian/kit";

import { type ServerError, toServerError } from "../errors.ts";
import type { BoundRpc } from "./adapter-access.ts";
import { type Call, type Caller, OpenCall } from "./adapter-call.ts";
import { type Authenticate, identify } from "./adapter-identity.ts";
import { statusOf, trailersOf } from "./adapter-status.ts";
import { decode, type Outgoing, receiveAll, sendAll } from "./adapter-stream.ts";

export * from "./adapter-access.ts";
export type { Call, Caller } from "./adapter-call.ts";
export type { Authenticate } from "./adapter-identity.ts";
export { isClassName, retryAfter, statusDetail } from "./adapter-status.ts";

/** The largest message in either direction, in bytes: what the clients are set to. */
export const largestMessage = 100 * 1024 * 1024;

export interface RpcServerOptions {
  /** All that is answered, by `bind`; everything else is UNIMPLEMENTED with a message that names it. */
  rpcs: readonly BoundRpc[];
  authenticate: Authenticate;
  logger: Logger;
  /** Called after each RPC with its name, its time in milliseconds and its gRPC status number. */
  observe?: (rpc: string, ms: number, status: number) => void;
}

/**
 * The server, not yet connected to any port: hand it to the port, which injects connections.
 *
 * For each call: unknown RPC -> UNIMPLEMENTED; then who calls, and whether this RPC is for them; only then is the
 * request read, decoded and handed to its handler. What a handler throws becomes a status by the table of errors.
 */
export function createRpcServer(options: RpcServerOptions): Server {
  const desk = new Desk(options);
  const server = new Server({
    "grpc.max_receive_message_length": largestMessage,
    "grpc.max_send_message_length": largestMessage,
    "grpc.enable_channelz": 0,
    interceptors: [desk.intercept],
  });
  ignoreCancelledStreams(server);
  const definitions: Record<string, MethodDefinition<Buffer, Buffer>> = {};
  const handlers: Record<string, (...parts: never[]) => void> = {};
  for (const bound of options.rpcs) {
    const path = pathOf(bound);
    definitions[path] = definitionOf(bound.method, path);
    handlers[path] = desk.handlerOf(bound);
  }
  if (options.rpcs.length > 0) server.addService(definitions, handlers as never);
  return server;
}

/**
 * A call that its client takes back in the same breath arrives as a stream that is closed already, and the library's
 * refusals (no such method, no gRPC at all) throw on such a stream, outside of anything that could catch it.
 */
function ignoreCancelledStreams(server: Server): void {
  interface WithHttp2 {
    createHttp2Server(credentials: unknown): EventEmitter;
  }
  const library = server as unknown as WithHttp2;
  const make = library.createHttp2Server.bind(server);
  library.createHttp2Server = (credentials) => {
    const http2 = make(credentials);
    const emit = http2.emit.bind(http2);
    http2.emit = (event: string | symbol, ...args: unknown[]) => {
      if (event === "stream") {
        const stream = args[0] as ServerHttp2Stream;
        stream.on("error", () => {}); // nobody else listens on one that is dropped here
        if (stream.destroyed || stream.closed) return true;
      }
      return emit(event, ...args);
    };
    return http2;
  };
}

type Send = (stream: Outgoing, call: OpenCall) => Promise<void>;
type Wrapped = Message | Record<string, unknown>;

/** What the interceptor found out about a call, kept by its metadata until the handler starts. */
interface Admitted {
  caller: Caller;
  startedMs: number;
}

class Desk {
  readonly #options: RpcServerOptions;
  readonly #byPath: ReadonlyMap<string, BoundRpc>;
  readonly #admitted = new WeakMap<Metadata, Admitted>();

  constructor(options: RpcServerOptions) {
    this.#options = options;
    this.#byPath = new Map(options.rpcs.map((bound) => [pathOf(bound), bound]));
  }

  /** Admits or refuses each call while its request is still unread, so that a stranger cannot make the server buffer it. */
  readonly intercept: ServerInterceptor = (method, call) => {
    let cancelled = false;
    return new ServerInterceptingCall(call, {
      start: (next) => {
        next({
          onReceiveMetadata: (metadata, admit) => {
            const startedMs = performance.now();
            const enter = (caller: Caller): void => {
              // A call that is cancelled here would never hear of it again.
              if (cancelled) return;
              this.#admitted.set(metadata, { caller, startedMs });
              admit(metadata);
            };
            const refuse = (error: unknown): void => {
              const status = statusOf(this.#answerFor(error, method.path));
              call.sendStatus(status);
              this.#observe(method.path.slice(method.path.lastIndexOf("/") + 1), startedMs, status.code);
            };
            try {
              const caller = this.#identify(method.path, call.getPeer(), metadata);
              if (caller instanceof Promise) caller.then(enter).catch(refuse);
              else enter(caller);
            } catch (error) {
              refuse(error);
            }
          },
          onCancel: () => {
            cancelled = true;
          },
        });
      },
    });
  };

  handlerOf(bound: BoundRpc): (...parts: never[]) => void {
    const { method, rpc } = bound;
    const encode = encoderOf(method);
    switch (method.methodKind) {
      case "unary": {
        const handle = rpc.handle as unknown as (request: Message, call: Call) => Promise<Wrapped>;
        return (call: ServerUnaryCall<Buffer, Buffer>, respond: sendUnaryData<Buffer>) => {
          void this.#answerUnary(method, call, respond, async (open) =>
            encode(await handle(decode(method.input, call.request, method.name), open)),
          );
        };
      }
      case "server_streaming": {
        const handle = rpc.handle as unknown as (request: Message, call: Call) => AsyncIterable<Wrapped>;
        return (stream: ServerWritableStream<Buffer, Buffer>) => {
          void this.#answerStream(method, stream, (out, open) =>
            sendAll(handle(decode(method.input, stream.request, method.name), open), encode, out, open),
          );
        };
      }
      case "bidi_streaming": {
        const handle = rpc.handle as unknown as (
          requests: AsyncIterable<Message>,
          call: Call,
        ) => AsyncIterable<Wrapped>;
        return (stream: ServerDuplexStream<Buffer, Buffer>) => {
          void this.#answerStream(method, stream, (out, open) =>
            sendAll(handle(receiveAll(method.input, stream, open), open), encode, out, open),
          );
        };
      }
      case "client_streaming":
        throw new Error(`${bound.service}/${method.name}: client streaming is not supported`);
    }
  }

  async #answerUnary(
    method: DescMethod,
    call: ServerUnaryCall<Buffer, Buffer>,
    respond: sendUnaryData<Buffer>,
    answer: (open: OpenCall) => Promise<Buffer>,
  ): Promise<void> {
    const { open, startedMs } = this.#open(method, call);
    try {
      const reply = await answer(open);
      open.finish();
      respond(null, reply, trailersOf(open.warnings));
      this.#observe(method.name, startedMs, 0);
    } catch (thrown) {
      const status = this.#statusOf(thrown, open);
      respond(status);
      this.#observe(method.name, startedMs, status.code);
    }
  }

  async #answerStream(method: DescMethod, stream: Outgoing, send: Send): Promise<void> {
    const { open, startedMs } = this.#open(method, stream);
    try {
      // In a function of its own, so that what throws before the first await is caught like the rest.
      await (async () => send(stream, open))();
      open.finish();
      (stream as ServerWritableStream<Buffer, Buffer>).end(trailersOf(open.warnings));
      this.#observe(method.name, startedMs, 0);
    } catch (thrown) {
      const status = this.#statusOf(thrown, open);
      if (!stream.destroyed) stream.emit("error", status);
      this.#observe(method.name, startedMs, status.code);
    }
  }

  #open(method: DescMethod, call: ServerUnaryCall<Buffer, Buffer> | Outgoing): { open: OpenCall; startedMs: number } {
    const admitted = this.#admitted.get(call.metadata);
    if (admitted === undefined) throw new Error(`${method.name} was not admitted`);
    const deadline = call.getDeadline();
    const deadlineMs = typeof deadline === "number" ? deadline : deadline.getTime();
    const open = new OpenCall(method.name, admitted.caller, call.metadata, deadlineMs);
    (call as EventEmitter).once("cancelled", () => open.cancel());
    if (call.cancelled) open.cancel();
    return { open, startedMs: admitted.startedMs };
  }

  #identify(path: string, peer: string, metadata: Metadata): Caller | Promise<Caller> {
    const bound = this.#byPath.get(path);
    if (bound === undefined) throw new Error(`no RPC at ${path}`); // the library asks only for registered ones
    return identify(bound.method.name, bound.rpc.access, peer, metadata, this.#options.authenticate);
  }

  #statusOf(thrown: unknown, open: OpenCall): ReturnType<typeof statusOf> {
    // The end of a cancelled call is no news: nobody waits for the answer.
    const expected =
      open.cancelled && (thrown === open.signal.reason || (thrown as Error | undefined)?.name === "AbortError");
    const error = expected ? (open.signal.reason as ServerError) : this.#answerFor(thrown, open.rpc);
    open.finish();
    return statusOf(error, open.warnings);
  }

  #answerFor(thrown: unknown, during: string): ServerError {
    return toServerError(thrown, this.#options.logger, during);
  }

  #observe(rpc: string, startedMs: number, status: number): void {
    this.#options.observe?.(rpc, performance.now() - startedMs, status);
  }
}

function pathOf(bound: BoundRpc): string {
  return `/${bound.service}/${bound.method.name}`;
}

/** Messages pass the library as bytes: they are decoded and encoded here, where a failure can be answered properly. */
function definitionOf(method: DescMethod, path: string): MethodDefinition<Buffer, Buffer> {
  const asTheyAre = (bytes: Buffer): Buffer => bytes;
  return {
    path,
    requestStream: method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming",
    responseStream: method.methodKind === "server_streaming" || method.methodKind === "bidi_streaming",
    requestSerialize: asTheyAre,
    requestDeserialize: asTheyAre,
    responseSerialize: asTheyAre,
    responseDeserialize: asTheyAre,
  };
}

function encoderOf(method: DescMethod): (message: Wrapped) => Buffer {
  const schema = method.output;
  return (message) => {
    const bytes = toBinary(schema, create(schema, message as never));
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };
}
