/**
 * Binds the port once and never accepts: the server inherits the descriptor, so while a server is being restarted the
 * kernel's backlog is the queue and no connection is refused. What the worker accepts for the server is handed on to it.
 */
import net from "node:net";

import { PlatformError, hasCode, messageOf } from "@lydian/kit";

import { Handover } from "./handover.ts";
import { type ChildPlan, type ChildSurroundings, KeptChild } from "./kept-child.ts";

/** What server and worker each get to end in order. */
const closeGraceMs = 10_000;

/** Reserves the port; throws a PlatformError that says what to do when that is impossible. `host` is numeric. */
export function bindPort(host: string, port: number): net.BoundSocket {
  if (net.BoundSocket === undefined) {
    throw new PlatformError(`lydian up needs Node 26.4 or newer, and this is ${process.versions.node}`, {
      hint: "install a newer Node, or run bin/lydian of a checkout, which brings its own",
    });
  }
  try {
    return new net.BoundSocket({ host, port });
  } catch (error) {
    const where = `${host} port ${port}`;
    if (hasCode(error, "EADDRINUSE")) {
      throw new PlatformError(`another program listens on ${where}`, {
        hint: `choose another port with --port (0 takes a free one); \`ss -ltnp sport = :${port}\` shows who has it`,
        cause: error,
      });
    }
    if (hasCode(error, "EACCES")) {
      throw new PlatformError(`this user may not listen on ${where}`, {
        hint: "choose a port above 1023 with --port",
        cause: error,
      });
    }
    if (hasCode(error, "EADDRNOTAVAIL", "EAFNOSUPPORT", "EINVAL")) {
      throw new PlatformError(`this machine has no address ${host}`, {
        hint: "choose one that `ip address` shows with --host",
        cause: error,
      });
    }
    throw new PlatformError(`cannot listen on ${where}: ${messageOf(error)}`, { cause: error });
  }
}

export class Supervisor {
  readonly #server: KeptChild;
  readonly #worker: KeptChild;

  constructor(plans: { server: ChildPlan; worker: ChildPlan }, around: ChildSurroundings) {
    const handover = new Handover();
    this.#server = new KeptChild(plans.server, around, (child) => handover.to(child));
    this.#worker = new KeptChild(plans.worker, around, (child) => handover.from(child));
  }

  /** Resolves when both are ready for the first time; rejects with what the first that cannot start has said. */
  async start(): Promise<void> {
    this.#server.start();
    this.#worker.start(); // loads its modules meanwhile; it is configured when there is a server to join
    this.#server.configure();
    await Promise.all([this.#server.ready.then(() => this.#worker.configure()), this.#worker.ready]);
  }

  get pids(): { server: number | undefined; worker: number | undefined } {
    return { server: this.#server.pid, worker: this.#worker.pid };
  }

  /**
   * The worker first: it stops its containers, and their ends still find a server to be reported to. False: some of them
   * are left.
   */
  async close(): Promise<boolean> {
    const isClean = await this.#worker.close(closeGraceMs);
    await this.#server.close(closeGraceMs);
    return isClean;
  }

  /** Ends everything now. */
  kill(): void {
    this.#worker.kill();
    this.#server.kill();
  }
}
