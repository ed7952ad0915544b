/**
 * The one port: gRPC, HTTP/1.1 and doors on the same address, told apart by their first bytes, with or without TLS.
 *
 * A door's connection is handed in with a secret, or begins with a line that names one; what follows is routed like any other
 * connection, with the identity that the secret stands for.
 */
import { once } from "node:events";
import type { Server as HttpServer } from "node:http";
import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type Server as TlsServer, type TLSSocket } from "node:tls";

import { type Clock, type Logger, messageOf, systemClock } from "@lydian/kit";

import type { Identity } from "../domain/identity.ts";
import type { GrpcServer } from "../grpc/server.ts";
import { kindOf } from "./first-bytes.ts";
import { giveIdentity, isLocal } from "./identity.ts";

export interface PortOptions {
  rpc: GrpcServer<Identity>;
  /** Not listening itself; made by `createWeb`. */
  web: HttpServer;
  /**
   * Whose door a secret opens; undefined closes the connection. Look it up by its SHA-256, so that the time that the
   * look-up takes tells nothing about the secret.
   */
  resolveDoor: (secret: string) => Identity | undefined | Promise<Identity | undefined>;
  /** Whether a connection that names this secret was asked for; then it is the asker's from here on. */
  takeDialed?: (secret: string, socket: Socket) => boolean;
  /** Whether a name that a TLS client asks for is a web function's: it is offered HTTP/1.1 alone. */
  isWebHost?: (name: string) => boolean;
  /** PEM texts. With them, plain connections are taken from this machine only. */
  tls?: { certificate: string | Buffer; key: string | Buffer };
  logger: Logger;
  clock?: Clock;
  /** How long a connection may take until it is clear what it is, in milliseconds; applies to each step anew. */
  patienceMs?: number;
  /** With more connections than this undecided, the longest waiting one is dropped for the newest. */
  mostUndecided?: number;
}

/** Where to listen: a descriptor that is already bound, an address, or a unix socket. */
export type ListenAt = { fd: number } | { host: string; port: number } | { path: string };

/** After this silence the kernel asks whether the peer is still there, in milliseconds. */
const keepAliveMs = 60_000;

export class Port {
  readonly #options: PortOptions;
  readonly #clock: Clock;
  readonly #listener: Server;
  readonly #tls: TlsServer | undefined;
  readonly #sockets = new Set<Socket>();
  /** In the order of their arrival, each with what drops it. */
  readonly #undecided = new Map<Socket, () => void>();
  readonly #doors = new Map<string, Set<Socket>>();
  /** Doors whose secret is being looked up, and those cut meanwhile. */
  #resolving = 0;
  readonly #cutMeanwhile = new Set<string>();
  #closed: Promise<void> | undefined;
  #onLastGone: () => void = () => {};

  constructor(options: PortOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#listener = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: keepAliveMs });
    this.#listener.on("connection", (socket) => this.#take(socket));
    // Running out of descriptors, for example: the listener goes on, so the port must too.
    this.#listener.on("error", (error) => options.logger.error({ err: error }, "the port's listener failed"));
    this.#tls = options.tls === undefined ? undefined : this.#tlsServer(options.tls);
    // While the port closes, a connection that was busy closes after its answer; it counts as idle a turn later.
    options.web.on("request", (_request, response) => {
      response.once("close", () => {
        if (this.#closed !== undefined) setImmediate(() => options.web.closeIdleConnections());
      });
    });
  }

  /** Rejects when the address is taken or the descriptor is no socket. */
  async listen(at: ListenAt): Promise<void> {
    this.#listener.listen(at);
    await once(this.#listener, "listening");
  }

  /** The bound port number; 0 for a unix socket or before `listen`. */
  get number(): number {
    const address = this.#listener.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  /** The address that it is bound to; loopback for a unix socket or before `listen`. */
  get host(): string {
    const address = this.#listener.address();
    return typeof address === "object" && address !== null ? address.address : "127.0.0.1";
  }

  /** How many connections are open, whatever they are. */
  get connections(): number {
    return this.#sockets.size;
  }

  /** Ends every connection of a container or worker that is gone. */
  cutDoors(id: string): void {
    if (this.#resolving > 0) this.#cutMeanwhile.add(id);
    for (const socket of this.#doors.get(id) ?? []) socket.destroy();
  }

  /**
   * Takes no new connection, tells the clients to open others elsewhere, lets what runs end within `graceMs`, then cuts
   * what is left. Whoever inherited the listening descriptor too keeps it open.
   */
  close(graceMs: number): Promise<void> {
    this.#closed ??= this.#drain(graceMs);
    return this.#closed;
  }

  async #drain(graceMs: number): Promise<void> {
    const { rpc, web } = this.#options;
    this.#listener.close();
    for (const drop of this.#undecided.values()) drop();
    rpc.drain();
    web.closeIdleConnections();
    using timer = this.#clock.timer(graceMs, () => {
      for (const socket of this.#sockets) socket.destroy();
    });
    timer.unref();
    const lastGone = Promise.withResolvers<void>();
    this.#onLastGone = lastGone.resolve;
    if (this.#sockets.size > 0) await lastGone.promise;
    this.#tls?.close();
  }

  /** A connection that was accepted, or made, elsewhere for whom the secret names. */
  takeHanded(secret: string, socket: Socket): void {
    this.#keep(socket);
    if (this.#closed === undefined) this.#atDoor(socket, secret, false);
    else socket.destroy();
  }

  #take(socket: Socket): void {
    this.#keep(socket);
    this.#decide(socket, { isSecure: false, identity: undefined });
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once("close", () => {
      this.#sockets.delete(socket);
      if (this.#sockets.size === 0) this.#onLastGone();
    });
    this.#swallowErrors(socket);
  }

  /** Reads until it is clear what the connection is, for as long as the patience lasts, then hands it over. */
  #decide(socket: Socket, known: { isSecure: boolean; identity: Identity | undefined }): void {
    if (socket.destroyed) return;
    let head: Buffer = Buffer.alloc(0);
    const drop = (): void => {
      socket.destroy();
    };
    // Not socket.setTimeout: that would survive the hand-over and cut calls that are quiet.
    const patience = this.#clock.timer(this.#options.patienceMs ?? 10_000, drop).unref();
    const settle = (): void => {
      patience[Symbol.dispose]();
      this.#undecided.delete(socket);
      socket.off("readable", look).off("close", settle);
    };
    const look = (): void => {
      const chunk = socket.read() as Buffer | null;
      if (chunk === null) return;
      head = head.length === 0 ? chunk : Buffer.concat([head, chunk]);
      const found = kindOf(head);
      if (found.kind === "undecided") return;
      settle();
      if (found.kind !== "door") {
        socket.unshift(head);
        this.#route(socket, found.kind, known);
      } else if (known.identity === undefined && this.#isAllowed(socket, known.isSecure)) {
        if (found.rest.length > 0) socket.unshift(found.rest);
        this.#atDoor(socket, found.secret, known.isSecure);
      } else drop();
    };
    this.#undecided.set(socket, drop);
    if (this.#undecided.size > (this.#options.mostUndecided ?? 1024)) this.#undecided.values().next().value?.();
    socket.on("readable", look).on("close", settle);
  }

  #atDoor(socket: Socket, secret: string, isSecure: boolean): void {
    if (this.#options.takeDialed?.(secret, socket) !== true) void this.#enterDoor(socket, secret, isSecure);
  }

  async #enterDoor(socket: Socket, secret: string, isSecure: boolean): Promise<void> {
    this.#resolving++;
    let identity: Identity | undefined;
    try {
      identity = await this.#options.resolveDoor(secret);
    } catch (error) {
      this.#options.logger.error({ err: error }, "a door's secret could not be looked up");
    }
    // Resolved just before it was cut: the answer is older than the cut.
    if (identity !== undefined && this.#cutMeanwhile.has(identity.id)) identity = undefined;
    if (--this.#resolving === 0) this.#cutMeanwhile.clear();
    if (identity === undefined) {
      this.#options.logger.debug({}, "a door was refused");
      socket.destroy();
      return;
    }
    if (socket.destroyed || this.#closed !== undefined) return void socket.destroy();
    giveIdentity(socket, identity);
    this.#keepDoor(socket, identity.id);
    this.#decide(socket, { isSecure, identity });
  }

  #keepDoor(socket: Socket, id: string): void {
    const doors = this.#doors.get(id) ?? new Set();
    this.#doors.set(id, doors.add(socket));
    socket.once("close", () => {
      doors.delete(socket);
      if (doors.size === 0 && this.#doors.get(id) === doors) this.#doors.delete(id);
    });
  }

  #route(
    socket: Socket,
    kind: "grpc" | "http" | "tls" | "broken",
    known: { isSecure: boolean; identity: Identity | undefined },
  ): void {
    if (kind === "tls" && this.#tls !== undefined && !known.isSecure && known.identity === undefined) {
      this.#tls.emit("connection", socket);
      return;
    }
    if (kind === "broken") return void socket.destroy();
    if (known.identity === undefined && !this.#isAllowed(socket, known.isSecure))
      return this.#refusePlain(socket, kind);
    if (kind === "grpc") {
      // The HTTP/2 server looks at this on encrypted connections; the preface has said it more clearly.
      if (known.isSecure) Object.defineProperty(socket, "alpnProtocol", { value: "h2" });
      this.#options.rpc.take(socket, known.identity);
    } else {
      this.#options.web.emit("connection", socket);
    }
  }

  #isAllowed(socket: Socket, isSecure: boolean): boolean {
    return isSecure || this.#tls === undefined || isLocal(socket);
  }

  #refusePlain(socket: Socket, kind: string): void {
    if (kind === "grpc") return void socket.destroy();
    const text = "This server speaks TLS only: use https://.\n";
    socket.end(
      `HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: ${text.length}\r\nconnection: close\r\n\r\n${text}`,
      () => socket.destroy(),
    );
    // A peer that never takes the answer must not keep the connection.
    const patience = this.#clock.timer(this.#options.patienceMs ?? 10_000, () => socket.destroy()).unref();
    socket.once("close", () => patience[Symbol.dispose]());
  }

  #tlsServer(tls: NonNullable<PortOptions["tls"]>): TlsServer {
    const server = createTlsServer({
      cert: tls.certificate,
      key: tls.key,
      // Browsers would speak HTTP/2 to web functions, which is gRPC's here.
      ALPNCallback: ({ servername, protocols }) =>
        this.#options.isWebHost?.(servername) === true
          ? "http/1.1"
          : ["h2", "http/1.1"].find((known) => protocols.includes(known)),
      handshakeTimeout: this.#options.patienceMs ?? 10_000,
    });
    server.on("secureConnection", (socket: TLSSocket) => {
      this.#swallowErrors(socket);
      this.#decide(socket, { isSecure: true, identity: undefined });
    });
    server.on("tlsClientError", (error, socket) => {
      this.#options.logger.debug({ reason: messageOf(error) }, "a TLS handshake failed");
      socket.destroy();
    });
    return server;
  }

  /** Peers vanish at any moment; whoever has the connection by then hears of it by its close. */
  #swallowErrors(socket: Socket): void {
    socket.on("error", (error) => this.#options.logger.debug({ reason: messageOf(error) }, "a connection broke"));
  }
}
