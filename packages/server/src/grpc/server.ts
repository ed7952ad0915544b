/**
 * A gRPC server over connections that somebody else accepts: HTTP/2 by Node, the rest here and in the files beside.
 *
 * Every stream becomes a `GrpcCall`, whatever its path: who answers decides what there is.
 */
import { createServer, type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";

import { GrpcCall } from "./call.ts";
import { isGrpc } from "./headers.ts";

export interface GrpcServerOptions<Peer> {
  /** The largest message that a client may send, in bytes. */
  readonly mostBytes: number;
  /** Answers a call; must not throw. */
  readonly answer: (call: GrpcCall<Peer>) => void;
}

/** What a client may send ahead, in bytes: of one call, and on one connection in all. */
const streamWindow = 256 * 1024;
const connectionWindow = 1024 * 1024;

/** Longer texts of statuses are cut before they come here; Node's own limit is below what the clients take. */
const mostTrailerBytes = 128 * 1024;

/** In MB: what Node may keep for a connection, messages included. */
const mostSessionMemory = 1024;

export class GrpcServer<Peer> {
  readonly #http2 = createServer({
    settings: { initialWindowSize: streamWindow },
    maxSendHeaderBlockLength: mostTrailerBytes,
    maxSessionMemory: mostSessionMemory,
  });
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #peers = new WeakMap<ServerHttp2Session, Peer>();
  /** Whose connection is being taken. */
  #entering: Peer | undefined;

  constructor({ answer, mostBytes }: GrpcServerOptions<Peer>) {
    this.#http2.on("session", (session) => {
      this.#sessions.add(session);
      if (this.#entering !== undefined) this.#peers.set(session, this.#entering);
      session.setLocalWindowSize(connectionWindow);
      session.once("close", () => this.#sessions.delete(session));
    });
    this.#http2.on("sessionError", () => {}); // the connection ends by it, and so do its calls
    this.#http2.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
      stream.on("error", () => {}); // its end says as much
      // One that its client takes back in the same breath arrives closed.
      if (stream.destroyed || stream.closed) return;
      if (!isGrpc(headers)) return stream.respond({ ":status": 415 }, { endStream: true });
      const { session } = stream;
      const peer = session === undefined ? undefined : this.#peers.get(session as ServerHttp2Session);
      answer(new GrpcCall(stream, headers, peer, mostBytes));
    });
  }

  /** Speaks gRPC on a connection from here on. `peer`: whom it belongs to, when that is known. */
  take(socket: Socket, peer: Peer | undefined): void {
    this.#entering = peer;
    try {
      this.#http2.emit("connection", socket);
    } finally {
      this.#entering = undefined;
    }
  }

  /** Tells the clients to open other connections; each one closes when its last call has ended. */
  drain(): void {
    for (const session of this.#sessions) session.close();
  }
}
