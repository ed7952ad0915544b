/**
 * Takes a container's questions for names, on a socket inside its network namespace, to the name servers that only the
 * host can reach (a resolver on its loopback, for one), and their answers back. No way from the container to the host
 * has to be opened for it.
 */
import dgram from "node:dgram";
import { once } from "node:events";
import net from "node:net";

import { type Clock, sleep } from "@lydian/kit";

import { hostSocket } from "./name-probe.ts";
import type { Namespaces } from "./namespaces.ts";
import { forwarderAddress } from "./resolv-conf.ts";

const namePort = 53;
const answerMs = 3000;
/** A container that asks for more at once waits, or asks again: descriptors are the whole worker's. */
const questionsAtOnce = 64;
const connectionsAtOnce = 16;
const connectionMs = 10_000;

export class NameForwarder {
  readonly #datagrams: dgram.Socket;
  readonly #listener: net.Server;
  readonly #sockets = new Set<net.Socket>();
  readonly #upstreams: readonly string[];
  readonly #clock: Clock;
  readonly #closing = new AbortController();
  #questions = 0;

  private constructor(datagrams: dgram.Socket, listener: net.Server, upstreams: readonly string[], clock: Clock) {
    this.#datagrams = datagrams;
    this.#listener = listener;
    this.#upstreams = upstreams;
    this.#clock = clock;
  }

  static async open(
    namespaces: Namespaces,
    netns: string,
    upstreams: readonly string[],
    clock: Clock,
  ): Promise<NameForwarder> {
    const bind = { address: forwarderAddress, port: namePort };
    const [udp, tcp] = await Promise.all([
      namespaces.run("socket", netns, { kind: "udp", bind }),
      namespaces.run("socket", netns, { kind: "tcp", bind }),
    ]);
    const forwarder = new NameForwarder(dgram.createSocket("udp4"), net.createServer(), upstreams, clock);
    await forwarder.#begin(udp, tcp);
    return forwarder;
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    for (const socket of this.#sockets) socket.destroy();
    this.#datagrams.close();
    await new Promise((resolve) => this.#listener.close(resolve));
  }

  async #begin(udp: number, tcp: number): Promise<void> {
    this.#datagrams.on("message", (question, from) => void this.#answer(question, from));
    this.#datagrams.on("error", () => {}); // the answer is lost, and the question comes again
    this.#listener.maxConnections = connectionsAtOnce;
    this.#listener.on("connection", (inside) => this.#join(inside));
    this.#datagrams.bind({ fd: udp }); // takes effect at once
    this.#listener.listen({ fd: tcp });
    await once(this.#listener, "listening");
    this.#listener.on("error", () => {}); // a failed accept: one connection is lost
    this.#datagrams.unref();
    this.#listener.unref();
  }

  async #answer(question: Buffer, from: dgram.RemoteInfo): Promise<void> {
    if (this.#questions >= questionsAtOnce) return;
    this.#questions++;
    try {
      for (const upstream of this.#upstreams) {
        const answer = await this.#ask(upstream, question);
        if (answer === undefined) continue;
        if (!this.#closing.signal.aborted) this.#datagrams.send(answer, from.port, from.address);
        return;
      }
    } finally {
      this.#questions--;
    }
  }

  /** Undefined when it does not answer in time, or cannot be reached. */
  async #ask(upstream: string, question: Buffer): Promise<Buffer | undefined> {
    if (this.#closing.signal.aborted) return undefined;
    const socket = await hostSocket(upstream);
    socket.on("error", () => {}); // whoever waits for the socket is told as well
    const over = new AbortController();
    const { signal } = over;
    try {
      socket.connect(namePort, upstream);
      await once(socket, "connect", { signal: this.#closing.signal });
      const heard = once(socket, "message", { signal: AbortSignal.any([signal, this.#closing.signal]) });
      socket.send(question);
      const late = sleep(this.#clock, answerMs, signal).then(() => undefined);
      late.catch(() => {}); // ended below
      const answer = await Promise.race([heard, late]);
      return answer?.[0] as Buffer | undefined;
    } catch {
      return undefined; // refused or closing: the next one is asked
    } finally {
      over.abort();
      socket.close();
    }
  }

  #join(inside: net.Socket): void {
    const out = net.connect({ host: this.#upstreams[0] ?? "127.0.0.1", port: namePort });
    for (const [socket, other] of [
      [inside, out],
      [out, inside],
    ] as const) {
      this.#sockets.add(socket);
      socket.setTimeout(connectionMs, () => socket.destroy());
      socket.on("error", () => other.destroy());
      socket.once("close", () => {
        this.#sockets.delete(socket);
        other.destroySoon();
      });
      socket.pipe(other);
    }
  }
}
