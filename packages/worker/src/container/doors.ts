/**
 * A door: a unix socket whose connections all reach the server as one known caller.
 *
 * Each connection that arrives is joined to a new one to the server, on which a line with the door's secret goes first.
 * From then on the door only moves bytes, both ways, each end of stream by itself. A server that cannot be reached shows
 * as a connection that closes: whoever is inside tries again. Nothing that happens to a connection ends the worker.
 */
import { rm } from "node:fs/promises";
import net from "node:net";

import { PlatformError } from "@lydian/kit";

/** Where the server listens. */
export interface ServerAddress {
  host: string;
  port: number;
}

/** The kernel's limit for the path of a unix socket is 108 bytes, the terminating zero included. */
const longestSocketPath = 107;

export class Door {
  readonly file: string;
  readonly #listener: net.Server;
  readonly #sockets: Set<net.Socket>;

  private constructor(file: string, listener: net.Server, sockets: Set<net.Socket>) {
    this.file = file;
    this.#listener = listener;
    this.#sockets = sockets;
  }

  /** Listens on `file`; a socket that a worker before left there is replaced. */
  static async open(file: string, secret: string, server: ServerAddress): Promise<Door> {
    if (Buffer.byteLength(file) > longestSocketPath) {
      throw new PlatformError(`the path ${file} is too long for a unix socket`, {
        hint: "choose a data folder with a shorter path",
      });
    }
    const sockets = new Set<net.Socket>();
    const listener = net.createServer({ allowHalfOpen: true }, (inside) => {
      const out = net.connect({ ...server, allowHalfOpen: true, noDelay: true });
      out.write(`LYDIAN/1 ${secret}\n`);
      join(inside, out);
      for (const socket of [inside, out]) {
        sockets.add(socket);
        socket.once("close", () => sockets.delete(socket));
      }
    });
    await rm(file, { force: true });
    await new Promise<void>((resolve, reject) => {
      listener.once("error", reject);
      listener.listen(file, () => {
        listener.off("error", reject);
        resolve();
      });
    });
    // After `listen`, only a failed accept (out of descriptors) comes here; the connection is lost, the door is not.
    listener.on("error", () => {});
    return new Door(file, listener, sockets);
  }

  /** Ends the door and all that goes through it. */
  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    if (this.#listener.listening) await new Promise((resolve) => this.#listener.close(resolve));
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
