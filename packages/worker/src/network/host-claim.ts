/**
 * A name that one process of this host has: an abstract unix socket, which belongs to the network namespace, as links and
 * addresses do, and which the kernel gives back however its owner dies. No file is left behind.
 */
import net from "node:net";

import { type Clock, hasCode, PlatformError, sleep } from "@lydian/kit";

export type HostClaim = AsyncDisposable;

/** Answers undefined when another process has it. */
export async function tryClaim(name: string): Promise<HostClaim | undefined> {
  const server = net.createServer((socket) => socket.destroy()).unref();
  const listening = Promise.withResolvers<void>();
  server.once("error", listening.reject);
  server.listen(`\0lydian/${name}`, listening.resolve);
  try {
    await listening.promise;
  } catch (error) {
    if (hasCode(error, "EADDRINUSE")) return undefined;
    throw error;
  }
  server.on("error", () => {}); // a failed accept; nobody has a reason to connect
  let closed: Promise<void> | undefined;
  return {
    [Symbol.asyncDispose]: () => (closed ??= new Promise((resolve) => server.close(() => resolve()))),
  };
}

/** Waits up to `waitMs` for a process that has it for a moment. */
export async function claimWithin(clock: Clock, name: string, waitMs: number): Promise<HostClaim> {
  const deadline = clock.now() + waitMs;
  for (;;) {
    const claim = await tryClaim(name);
    if (claim !== undefined) return claim;
    if (clock.now() >= deadline) throw new PlatformError(`another process on this host does not give back "${name}"`);
    await sleep(clock, 25); // the kernel tells nobody when a name is free
  }
}
