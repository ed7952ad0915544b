/** The identity that a connection has because it came through a door. */
import type { Socket } from "node:net";

import type { Identity } from "../domain/identity.ts";

const identities = new WeakMap<Socket, Identity>();

/** Marks a connection for good. */
export function giveIdentity(socket: Socket, identity: Identity): void {
  identities.set(socket, identity);
}

/** Who is at the other end, or undefined for a connection from outside. In a handler: `identityOf(request.raw.socket)`. */
export function identityOf(socket: Socket): Identity | undefined {
  return identities.get(socket);
}

/** Whether the peer is on this machine: loopback, or a unix socket, which has no address. */
export function isLocal(socket: Socket): boolean {
  const address = socket.remoteAddress;
  return address === undefined || address === "::1" || /^(::ffff:)?127\./.test(address);
}
