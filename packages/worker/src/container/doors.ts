/**
 * A door: a unix socket whose connections all reach the server as one known caller.
 *
 * Each connection that arrives is joined to a new one to the server, on which a line with the door's secret goes first.
 * From then on the door only moves bytes, both ways, each end of stream by itself. A server that cannot be reached shows
 * as a connection that closes: whoever is inside tries again. Nothing that happens to a connection ends the worker.
 */
import { once } from "node:events";
import { chmod, mkdir, rm } from "node:fs/promises";
import net from "node:net";
import { dirname } from "node:path";

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
  readonly #greeting: string;
  readonly #server: ServerAddress;
  readonly #listener: net.Server;
  readonly #sockets = new Set<net.Socket>();

  private constructor(file: string, secret: string, server: ServerAddress) {
    this.file = file;
    this.#greeting = `LYDIAN/1 ${secret}\n`;
    this.#server = server;
    this.#listener = net.createServer({ allowHalfOpen: true }, (inside) => this.admit(inside));
  }

  /**
   * Listens on `file`; a socket that a worker before left there is replaced. Whoever reaches the socket may use it: it is
   * its folder's place that bars the way to all others.
   */
  static async open(file: string, secret: string, server: ServerAddress): Promise<Door> {
    if (Buffer.byteLength(file) > longestSocketPath) {
      throw new PlatformError(`the path ${file} is too long for a unix socket`, {
        hint: "choose a data folder with a shorter path",
      });
    }
    const door = new Door(file, secret, server);
    const listener = door.#listener;
    await mkdir(dirname(file), { recursive: true, mode: 0o711 });
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
    await chmod(file, 0o666);
    return door;
  }

  /** Joins a connection from inside, whichever way it came, to a new one to the server. */
  admit(inside: net.Socket): void {
    this.#join(inside, this.#greeting);
  }

  #join(inside: net.Socket, greeting: string): void {
    const out = net.connect({ ...this.#server, allowHalfOpen: true, noDelay: true });
    out.write(greeting);
    join(inside, out);
    for (const socket of [inside, out]) {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    }
  }

  /**
   * Joins a connection that is being made to something inside to one to the server, which knows it by this secret. Rejects
   * when nothing answers inside.
   */
  async dial(inside: net.Socket, secret: string): Promise<void> {
    this.#sockets.add(inside);
    inside.once("close", () => this.#sockets.delete(inside));
    await once(inside, "connect");
    this.#join(inside, `LYDIAN/1 ${secret}\n`);
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
