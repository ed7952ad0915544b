/**
 * Connections that one child of a supervisor hands to the other, as they are: the descriptor goes by way of the supervisor
 * (cli's handover.ts), and from then on the receiver has the connection to itself. Nobody may have read from it before.
 */
import { Socket } from "node:net";

/** What goes with a connection. */
export interface Handed {
  /** Whose connection it is. */
  secret: string;
}

/** Node's own object for a descriptor; it is what travels between processes, and has no public type. */
export interface Handle {
  close(): void;
}

/** Only between a parent and its child there is a way for it. */
export type SendHandle = (message: Handed, handle: Handle, done: (error: Error | null) => void) => void;

/** The connection is nobody's here any more; one that cannot be sent is closed. `inside` must be paused since it was made. */
export function handOver(inside: Socket, secret: string): void {
  const { _handle: handle } = inside as unknown as { _handle: Handle | null };
  const send = process.send?.bind(process) as SendHandle | undefined;
  if (handle === null || send === undefined) inside.destroy();
  else send({ secret }, handle, () => inside.destroy()); // its own end stays open as long as the receiver's copy
}

/** Calls `take` with each connection that arrives; those that come earlier wait for this call. */
export function onHanded(take: (secret: string, socket: Socket) => void): void {
  process.on("message", (message: Handed, handle: unknown) => {
    take(message.secret, new Socket({ handle, readable: true, writable: true } as object)); // it reads into its buffer
  });
}
