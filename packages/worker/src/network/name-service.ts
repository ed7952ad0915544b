/** How containers' names are resolved: by the host's name servers, or by way of the worker where those are out of reach. */
import dgram from "node:dgram";
import { readFile, writeFile } from "node:fs/promises";

import { type Clock, hasCode, type Logger } from "@lydian/kit";

import { NameForwarder } from "./name-forwarder.ts";
import { hostSocket, someAnswers } from "./name-probe.ts";
import type { Namespaces } from "./namespaces.ts";
import {
  formatResolvConf,
  forwarderAddress,
  type HostResolvers,
  parseResolvConf,
  readHostResolvers,
  type ResolvConf,
} from "./resolv-conf.ts";

export interface NameServiceOptions {
  /** The file that containers see. Those that run see it change, for it is written in place. */
  readonly file: string;
  readonly namespaces: Namespaces;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Instead of the host's, for tests. */
  readonly hostFiles?: readonly string[] | undefined;
}

export class NameService {
  /** Name servers that containers may ask themselves. */
  readonly resolvers: readonly string[];
  readonly #options: NameServiceOptions;
  readonly #host: HostResolvers;
  #way: Promise<"direct" | "forwarder"> | undefined;

  private constructor(options: NameServiceOptions, host: HostResolvers) {
    this.#options = options;
    this.#host = host;
    this.resolvers = host.direct?.nameservers ?? [];
  }

  static async open(options: NameServiceOptions): Promise<NameService> {
    return new NameService(options, await readHostResolvers(options.hostFiles));
  }

  /** Keeps to the way that a worker before chose: its containers know it. */
  async keep(): Promise<void> {
    try {
      const { nameservers } = parseResolvConf(await readFile(this.#options.file, "utf8"));
      if (nameservers.length > 0) this.#way = this.#write(nameservers.includes(forwarderAddress));
    } catch (error) {
      if (!hasCode(error, "ENOENT")) throw error; // it died before it chose
    }
  }

  /** Makes names work in this namespace; what it answers, if anything, is to be closed with it. */
  async serve(netns: string): Promise<NameForwarder | undefined> {
    const way = await (this.#way ??= this.#choose(netns));
    if (way === "direct") return undefined;
    const { namespaces, clock } = this.#options;
    return NameForwarder.open(namespaces, netns, this.#host.own.nameservers, clock);
  }

  /** Asks once, from the first namespace that there is. Where nobody answers, the host's own way is as good as any. */
  async #choose(netns: string): Promise<"direct" | "forwarder"> {
    const { namespaces, clock, logger } = this.#options;
    if (this.#host.direct === undefined) return this.#write(true);
    const insideSocket = async (): Promise<dgram.Socket> => {
      const socket = dgram.createSocket("udp4");
      socket.bind({ fd: await namespaces.run("socket", netns, { kind: "udp" }) }); // takes effect at once
      return socket;
    };
    const askInside = (): Promise<boolean> => someAnswers(this.resolvers, insideSocket, clock);
    const [atOnce, outside] = await Promise.all([
      askInside(),
      someAnswers(this.#host.own.nameservers, hostSocket, clock),
    ]);
    // Twice, for a packet can be lost and this is decided once.
    const inside = atOnce || (outside && (await askInside()));
    if (!inside && !outside) logger.warn({ nameservers: this.resolvers }, "no name server answers this host");
    return this.#write(!inside && outside);
  }

  async #write(forwards: boolean): Promise<"direct" | "forwarder"> {
    const { own, direct } = this.#host;
    const conf: ResolvConf =
      forwards || direct === undefined ? { nameservers: [forwarderAddress], rest: own.rest } : direct;
    await writeFile(this.#options.file, formatResolvConf(conf), { mode: 0o644 });
    return conf === direct ? "direct" : "forwarder";
  }
}
