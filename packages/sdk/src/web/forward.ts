/** Makes a port of the container reachable from outside, for as long as it is wanted. */
import { ModalClient } from "@lydian/contract";

import { isLocal } from "../calls/context.ts";
import { Client } from "../client/client.ts";
import { InvalidError } from "../errors.ts";

/** Where something is reached. */
export interface Address {
  /** A name or an address. */
  readonly host: string;
  /** From outside. */
  readonly port: number;
}

/** A port that others reach; `await using tunnel = await forward(8000)` ends it with its block. */
export interface Tunnel extends AsyncDisposable, Address {
  /** Where HTTP and web sockets answer; its scheme is that of the platform's own address. */
  readonly url: string;
  /** As `host` and `port`, by Modal's name. */
  readonly tlsSocket: Address;
  /** Plain TCP; undefined unless it was asked for. */
  readonly tcpSocket: Address | undefined;
}

/**
 * Only in a container. `port`: where something of it listens; `unencrypted`: as a plain TCP port besides. Throws an InvalidError
 * elsewhere, and where the port is forwarded already.
 */
export async function forward(port: number, { unencrypted = false }: { unencrypted?: boolean } = {}): Promise<Tunnel> {
  if (isLocal())
    throw new InvalidError("forward makes ports of a container reachable, and this is none", {
      hint: "call it in a function",
    });
  const client = Client.usual();
  const [made, platform] = await Promise.all([
    client.ask(ModalClient.method.tunnelStart, { port, unencrypted }),
    client.ask(ModalClient.method.workspaceDashboardUrlGet, {}), // tunnels have its scheme
  ]);
  const { host, port: outer, unencryptedHost, unencryptedPort } = made;
  const hasTcp = unencryptedHost !== undefined && unencryptedPort !== undefined;
  return {
    ...{ host, port: outer },
    url: new URL(`${new URL(platform.url).protocol}//${host}:${outer}`).origin,
    tlsSocket: { host, port: outer },
    tcpSocket: hasTcp ? { host: unencryptedHost, port: unencryptedPort } : undefined,
    async [Symbol.asyncDispose]() {
      await client.ask(ModalClient.method.tunnelStop, { port });
    },
  };
}
