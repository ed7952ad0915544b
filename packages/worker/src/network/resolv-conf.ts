/** What containers get as /etc/resolv.conf, made from the host's. */
import { readFile } from "node:fs/promises";
import net from "node:net";

import { hasCode } from "@lydian/kit";

/** The host's own, and where systemd-resolved keeps the list of the servers that it asks itself. */
const hostFiles = ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"] as const;

/** Inside a container, where the worker takes questions when the host's name servers are out of its reach. */
export const forwarderAddress = "127.0.0.53";

export interface ResolvConf {
  /** In the file's order. */
  readonly nameservers: readonly string[];
  /** The other lines: search, options. */
  readonly rest: readonly string[];
}

export function parseResolvConf(text: string): ResolvConf {
  const lines = text.split("\n").map((line) => line.trim());
  const settings = lines.filter((line) => line !== "" && !/^[#;]/.test(line));
  const server = (line: string): string | undefined => /^nameserver\s+(\S+)/.exec(line)?.[1];
  return {
    nameservers: settings.map(server).filter((address) => address !== undefined),
    rest: settings.filter((line) => server(line) === undefined),
  };
}

export function formatResolvConf(conf: ResolvConf): string {
  return [...conf.nameservers.map((address) => `nameserver ${address}`), ...conf.rest, ""].join("\n");
}

/** What a container could ask by itself; IPv6 ends at its door. */
export function reachable(conf: ResolvConf): ResolvConf {
  const nameservers = conf.nameservers.filter((address) => net.isIPv4(address) && !address.startsWith("127."));
  return { nameservers, rest: conf.rest };
}

export interface HostResolvers {
  /** The first of the host's lists that names a server which containers might reach; undefined when none does. */
  readonly direct: ResolvConf | undefined;
  /** What the host itself asks. */
  readonly own: ResolvConf;
}

export async function readHostResolvers(files: readonly string[] = hostFiles): Promise<HostResolvers> {
  const lists = (await Promise.all(files.map(readIfThere))).map((text) => parseResolvConf(text ?? ""));
  return {
    direct: lists.map(reachable).find(({ nameservers }) => nameservers.length > 0),
    own: lists.find(({ nameservers }) => nameservers.length > 0) ?? { nameservers: ["127.0.0.1"], rest: [] },
  };
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}
