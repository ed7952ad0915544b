/** The identity that a connection has because it came through a door. */
import type { Socket } from "node:net";

/** Whose door it is: a container (`ta-…`), one that may do little, or a worker's own connection. */
export interface Identity {
  readonly kind: "container" | "restricted" | "worker";
  readonly id: string;
}

const identities = new WeakMap<Socket, Identity>();

/** Marks a connection for good: for HTTP handlers by `identityOf`, for gRPC handlers by what `getPeer()` says. */
export function giveIdentity(socket: Socket, identity: Identity): void {
  identities.set(socket, identity);
  // The gRPC library takes the peer from these two; no TCP peer can look like this, for an address has no letters
  // beyond f before its first colon.
  Object.defineProperty(socket, "remoteAddress", { value: `${identity.kind}:${identity.id}` });
  Object.defineProperty(socket, "remotePort", { value: undefined });
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
