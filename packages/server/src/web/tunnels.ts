/**
 * Ports of containers that their code makes reachable from outside: by HTTP under a host name of their own, and as plain TCP on a
 * port of this machine if it asks for that. They are there for as long as the code says, or the container lives.
 */
import { createServer, type Server, type Socket } from "node:net";

import { type Logger, messageOf, type NewId, randomText } from "@lydian/kit";

import { webBase, type WebSettings } from "../domain/web-address.ts";
import { fail } from "../errors.ts";
import type { Dials } from "../workers/dials.ts";
import type { Acting } from "../workers/sessions.ts";
import { AppServer } from "./app-server.ts";
import type { WebRequest } from "./asgi.ts";
import { Exchange } from "./exchange.ts";

export interface Tunnel {
  readonly containerId: string;
  /** Of the container. */
  readonly port: number;
  /** The first label of its host name. */
  readonly label: string;
  readonly server: AppServer;
  readonly tcp: Server | undefined;
}

/** Where a tunnel is reached. */
export interface TunnelAddress {
  host: string;
  port: number;
  tcp: { host: string; port: number } | undefined;
}

export interface TunnelsDeps {
  dials: Pick<Dials, "open">;
  newId: NewId;
  settings: WebSettings;
  log: Logger;
}

const mostTunnels = 16;
const labelAlphabet = "abcdefghijklmnopqrstuvwxyz0123456789";

export class Tunnels {
  readonly #deps: TunnelsDeps;
  readonly #byLabel = new Map<string, Tunnel>();
  /** Of callers by plain TCP, by what listens for them. */
  readonly #joined = new Map<Server | undefined, Set<Socket>>();
  /** Where plain TCP is listened for: where the platform itself is. */
  listenHost = "127.0.0.1";

  constructor(deps: TunnelsDeps) {
    this.#deps = deps;
  }

  async start(container: Acting, port: number, { isTcp }: { isTcp: boolean }): Promise<TunnelAddress> {
    const own = this.#of(container.id);
    if (own.some((each) => each.port === port)) throw fail("alreadyExists", `Port ${port} is forwarded already.`);
    if (own.length >= mostTunnels)
      throw fail("resourceExhausted", `A container forwards ${mostTunnels} ports at most.`);
    const { dials, settings } = this.#deps;
    const open = (): Promise<Socket> => dials.open(container, port);
    const label = `t-${randomText(20, labelAlphabet)}`; // whoever knows it may call
    const server = new AppServer(open);
    const tcp = isTcp ? await this.#listen(open) : undefined;
    this.#byLabel.set(label, { containerId: container.id, port, label, server, tcp });
    const base = webBase(settings);
    const url = new URL(base.urlOf(label));
    const tcpPort = tcp?.address();
    return {
      host: url.hostname,
      port: Number(url.port) || (base.scheme === "https" ? 443 : 80),
      tcp:
        typeof tcpPort === "object" && tcpPort !== null
          ? { host: new URL(settings.publicUrl).hostname, port: tcpPort.port }
          : undefined,
    };
  }

  /** Answers whether there was one. */
  stop(containerId: string, port: number): boolean {
    const tunnel = this.#of(containerId).find((each) => each.port === port);
    if (tunnel !== undefined) this.#end(tunnel);
    return tunnel !== undefined;
  }

  /** The container is gone. */
  cut(containerId: string): void {
    for (const tunnel of this.#of(containerId)) this.#end(tunnel);
  }

  close(): void {
    for (const tunnel of this.#byLabel.values()) this.#end(tunnel);
  }

  find(host: string): Tunnel | undefined {
    return this.#byLabel.get(host);
  }

  /** Whoever has the exchange closes it. */
  begin({ label, server }: Tunnel, request: WebRequest): Exchange {
    const exchange = new Exchange(this.#deps.newId("fc"), label);
    void server.carry(exchange, request).then((ended) => exchange.end(ended));
    return exchange;
  }

  #of(containerId: string): Tunnel[] {
    return [...this.#byLabel.values()].filter((tunnel) => tunnel.containerId === containerId);
  }

  #end({ label, server, tcp }: Tunnel): void {
    this.#byLabel.delete(label);
    server.close();
    tcp?.close();
    for (const socket of this.#joined.get(tcp) ?? []) socket.destroy();
  }

  async #listen(open: () => Promise<Socket>): Promise<Server> {
    const { log } = this.#deps;
    const joined = new Set<Socket>();
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (caller) => {
      joined.add(caller.once("close", () => joined.delete(caller)));
      caller.on("error", () => {}); // its close says as much
      open().then(
        (inside) => join(caller, inside),
        (error: unknown) => {
          log.debug({ reason: messageOf(error) }, "a tunnel's connection was not taken");
          caller.destroy();
        },
      );
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject).listen({ host: this.listenHost, port: 0 }, resolve);
    });
    server.on("error", (error) => log.warn({ err: error }, "a tunnel's listener failed"));
    this.#joined.set(server, joined);
    server.once("close", () => this.#joined.delete(server));
    return server;
  }
}

/** Each side's end is passed on by itself; an error of one ends both. */
function join(caller: Socket, inside: Socket): void {
  for (const [from, to] of [
    [caller, inside],
    [inside, caller],
  ] as const) {
    from.pipe(to);
    from.on("error", () => to.destroy());
    from.on("close", () => {
      if (!from.readableEnded) to.destroy();
    });
  }
  if (caller.destroyed) inside.destroy();
}
