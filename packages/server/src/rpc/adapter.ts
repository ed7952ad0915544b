/** Turns service descriptors and typed handlers into a gRPC server: identity, access, codecs, errors, streams. */
import { setImmediate } from "node:timers/promises";

import { create, type DescMethod, type Message, toBinary } from "@bufbuild/protobuf";
import { sdkHeader } from "@lydian/contract";
import type { Logger } from "@lydian/kit";

import type { Identity } from "../domain/identity.ts";
import { fail, type ServerError, toServerError } from "../errors.ts";
import { type AnyCall, carryBundle, carryPath } from "../grpc/bundle.ts";
import type { GrpcCall } from "../grpc/call.ts";
import type { Status } from "../grpc/headers.ts";
import { GrpcServer } from "../grpc/server.ts";
import type { BoundRpc } from "./adapter-access.ts";
import { type Call, type Caller, OpenCall } from "./adapter-call.ts";
import { type Authority, identify } from "./adapter-identity.ts";
import type { Language } from "../wording.ts";
import { statusOf, successOf } from "./adapter-status.ts";
import { decode, receiveAll, sendAll } from "./adapter-stream.ts";
import { outOfScope } from "./out-of-scope.ts";

export * from "./adapter-access.ts";
export type { Call, Caller } from "./adapter-call.ts";
export type { Authenticate } from "./adapter-identity.ts";
export { isClassName, retryAfter, statusDetail } from "./adapter-status.ts";

/** The largest message that a client may send, in bytes: what the clients are set to. */
export const largestMessage = 100 * 1024 * 1024;

export interface RpcServerOptions extends Authority {
  /** All that is answered, by `bind`; everything else is UNIMPLEMENTED with a message that names it. */
  rpcs: readonly BoundRpc[];
  logger: Logger;
  /** Called after each RPC with its name, its time in milliseconds and its gRPC status number. */
  observe?: (rpc: string, ms: number, status: number) => void;
}

/**
 * The server, not yet connected to any port: hand it to the port, which gives it connections.
 *
 * For each call: unknown RPC -> UNIMPLEMENTED; then who calls, and whether this RPC is for them; only then is the
 * request read, decoded and handed to its handler, so that a stranger cannot make the server keep one. What a handler
 * throws becomes a status by the table of errors.
 */
export function createRpcServer(options: RpcServerOptions): GrpcServer<Identity> {
  const desk = new Desk(options);
  const answer = (call: GrpcCall<Identity>): void =>
    void (call.path === carryPath ? desk.carry(call) : desk.answer(call));
  return new GrpcServer({ mostBytes: largestMessage, answer });
}

type Wire = AnyCall<Identity>;
type Wrapped = Message | Record<string, unknown>;

/** Reads the request, and sends all but the last message of the answer, which it answers itself if there is one. */
type Serve = (wire: Wire, open: OpenCall) => Promise<Uint8Array | undefined>;

interface Served {
  readonly bound: BoundRpc;
  readonly serve: Serve;
}

class Desk {
  readonly #options: RpcServerOptions;
  readonly #byPath: ReadonlyMap<string, Served>;

  constructor(options: RpcServerOptions) {
    this.#options = options;
    const { rpcs } = options;
    this.#byPath = new Map(rpcs.map((bound) => [pathOf(bound), { bound, serve: serveOf(bound) }]));
  }

  /** Never rejects. */
  async answer(wire: Wire): Promise<void> {
    const startedMs = performance.now();
    const served = this.#byPath.get(wire.path);
    if (served === undefined) return wire.end(statusOf(unknownRpc(wire.path)));
    const { method, rpc } = served.bound;
    let open: OpenCall | undefined;
    let status: Status;
    let reply: Uint8Array | undefined;
    try {
      const known = identify(method.name, rpc.access, wire.peer, (name) => wire.header(name), this.#options);
      // Not awaited when it is known at once: that would take a turn.
      open = this.#open(method, wire, known instanceof Promise ? await known : known);
      reply = await served.serve(wire, open);
      open.finish();
      status = successOf(open.warnings);
    } catch (thrown) {
      status = this.#statusOf(thrown, open, method, languageOf(wire));
    }
    wire.end(status, reply);
    this.#options.observe?.(method.name, performance.now() - startedMs, status.code);
  }

  /** Answers the calls of a bundle, each as if it came alone; only who can be somebody may have one. Never rejects. */
  async carry(wire: GrpcCall<Identity>): Promise<void> {
    try {
      await identify("Carry", "userOrAnyContainer", wire.peer, (name) => wire.header(name), this.#options);
      await carryBundle(wire, (call) => void this.answer(call));
      wire.end(successOf([]));
    } catch (thrown) {
      await setImmediate(); // that a connection was cut is known a moment later
      if (!wire.isGone) wire.end(statusOf(this.#answerFor(thrown, "Carry")));
    }
  }

  #open(method: DescMethod, wire: Wire, caller: Caller): OpenCall {
    const open = new OpenCall(method.name, caller, wire);
    wire.onGone = () => open.cancel();
    if (wire.isGone) open.cancel();
    return open;
  }

  #statusOf(thrown: unknown, open: OpenCall | undefined, method: DescMethod, language: Language): Status {
    // The end of a cancelled call is no news: nobody waits for the answer.
    const isExpected =
      open?.cancelled === true &&
      (thrown === open.signal.reason || (thrown as Error | undefined)?.name === "AbortError");
    const error = isExpected ? (open.signal.reason as ServerError) : this.#answerFor(thrown, method.name);
    open?.finish();
    return statusOf(error, open?.warnings, language);
  }

  #answerFor(thrown: unknown, during: string): ServerError {
    return toServerError(thrown, this.#options.logger, during);
  }
}

const languageOf = (wire: Wire): Language => (wire.header(sdkHeader) === undefined ? "python" : "typescript");

function pathOf(bound: BoundRpc): string {
  return `/${bound.service}/${bound.method.name}`;
}

function unknownRpc(path: string): ServerError {
  return fail("unimplemented", outOfScope(path));
}

function serveOf({ method, rpc }: BoundRpc): Serve {
  const encode = (message: Wrapped): Uint8Array => toBinary(method.output, create(method.output, message as never));
  switch (method.methodKind) {
    case "unary": {
      const handle = rpc.handle as unknown as (request: Message, call: Call) => Promise<Wrapped>;
      return async (wire, open) => encode(await handle(decode(method.input, await wire.message(), method.name), open));
    }
    case "server_streaming": {
      const handle = rpc.handle as unknown as (request: Message, call: Call) => AsyncIterable<Wrapped>;
      return async (wire, open) => {
        await sendAll(handle(decode(method.input, await wire.message(), method.name), open), encode, wire, open);
        return undefined;
      };
    }
    case "bidi_streaming": {
      const handle = rpc.handle as unknown as (requests: AsyncIterable<Message>, call: Call) => AsyncIterable<Wrapped>;
      return async (wire, open) => {
        await sendAll(handle(receiveAll(method.input, wire, open), open), encode, wire, open);
        return undefined;
      };
    }
    case "client_streaming": {
      const handle = rpc.handle as unknown as (requests: AsyncIterable<Message>, call: Call) => Promise<Wrapped>;
      return async (wire, open) => encode(await handle(receiveAll(method.input, wire, open), open));
    }
  }
}
