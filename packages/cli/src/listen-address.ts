/** On which address the platform listens, under which it is known, and whether that is safe. */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { hostname } from "node:os";

import { PlatformError, messageOf } from "@lydian/kit";

/** The numeric address of a host that was named on the command line. */
export async function numericHost(host: string): Promise<string> {
  if (isIP(host) !== 0) return host;
  try {
    // IPv4 first: clients that are told 127.0.0.1 must find what listens on "localhost".
    return (await lookup(host, { order: "ipv4first" })).address;
  } catch (error) {
    throw new PlatformError(`no address is known for the host ${host}: ${messageOf(error)}`, {
      hint: "give --host a numeric address of this machine, such as 127.0.0.1",
      cause: error,
    });
  }
}

/** Whether only programs of this machine can connect. */
export function isLoopback(address: string): boolean {
  return address === "::1" || (isIP(address) === 4 && address.startsWith("127."));
}

/** Tokens and code travel over this port: beyond loopback it is encrypted, or somebody says that this is wanted. */
export function refuseOpenPort(address: string, secured: { tls: boolean; insecure: boolean }): void {
  if (isLoopback(address) || secured.tls || secured.insecure) return;
  throw new PlatformError(
    `${address} can be reached from other machines, and without TLS everyone on the way can read tokens and code`,
    {
      hint: "give --tls-cert and --tls-key; or --insecure, when a proxy encrypts or the network is your own",
    },
  );
}

const wildcards = new Map([
  ["0.0.0.0", "127.0.0.1"],
  ["::", "::1"],
]);

/** How a program of this machine connects to what listens on `address`. */
export function localAddress(address: string): string {
  return wildcards.get(address) ?? address;
}

/** What the clients are told; every address of this machine is known by its host name. */
export function urlOf(address: string, port: number, tls: boolean): string {
  const host = wildcards.has(address) ? hostname() : isIP(address) === 6 ? `[${address}]` : address;
  return `${tls ? "https" : "http"}://${host}:${port}`;
}
