/**
 * A door: a unix socket whose connections all reach the server as one known caller.
 *
 * Each connection that arrives is handed to the server with the door's secret, where a supervisor has both. Elsewhere it is joined
 * to a new one to the server, on which a line with the secret goes first, and the door moves bytes, both ways, each end of stream by
 * itself. A server that cannot be reached shows as a connection that waits or closes: whoever is inside tries again. Nothing that
 * happens to a connection ends the worker.
 */
import { once } from "node:events";
import net from "node:net";

import { handOver } from "@lydian/kit";

import { DoorSocket } from "./door-socket.ts";

/** Where the server listens. */
export interface ServerAddress {
  host: string;
  port: number;
  /** Connections are handed to it by the supervisor of both. */
  takesConnections?: boolean | undefined;
}

export class Door {
  /** What it listens at. */
  readonly socket: DoorSocket;
  readonly #secret: string;
  readonly #server: ServerAddress;
  readonly #sockets = new Set<net.Socket>();

  constructor(socket: DoorSocket, secret: string, server: ServerAddress) {
    this.socket = socket;
    this.#secret = secret;
    this.#server = server;
    socket.onConnection((inside) => this.admit(inside));
  }

  get file(): string {
    return this.socket.file;
  }

  /** At a socket of its own, bound to `file`. */
  static async open(file: string, secret: string, server: ServerAddress): Promise<Door> {
    return new Door(await DoorSocket.bind(file), secret, server);
  }

  /** Brings the server a connection from inside, whichever way it came; it is paused. */
  admit(inside: net.Socket): void {
    this.#bring(inside, this.#secret);
  }

  #bring(inside: net.Socket, secret: string): void {
    const { host, port, takesConnections } = this.#server;
    if (takesConnections === true) return handOver(inside, secret);
    const out = net.connect({ host, port, allowHalfOpen: true, noDelay: true });
    out.write(`LYDIAN/1 ${secret}\n`);
    join(inside, out);
    for (const socket of [inside, out]) {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    }
  }

  /**
   * Brings the server a connection that is being made to something inside, which knows it by this secret. Rejects when nothing
   * answers inside.
   */
  async dial(inside: net.Socket, secret: string): Promise<void> {
    this.#sockets.add(inside);
    inside.once("close", () => this.#sockets.delete(inside));
    await once(inside.pause(), "connect");
    this.#bring(inside, secret);
  }

  /** Ends the door and all that goes through it; what was handed over ends with those who are inside, or by the server. */
  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await this.socket.close();
  }
}

/**
 * Moves bytes both ways. A clean end of one side is passed on and the other direction goes on; an error of one side ends
 * both. A side that closed cleanly is not destroyed on the other's account: it may still have bytes to write.
 */
function join(inside: net.Socket, out: net.Socket): void {
  inside.pipe(out);
  out.pipe(inside);
  for (const [socket, other] of [
    [inside, out],
    [out, inside],
  ] as const) {
    socket.on("error", () => other.destroy()); // refused, reset, gone: the other side learns it by the close
    socket.on("close", () => {
      if (!socket.readableEnded) other.destroy();
    });
  }
}
