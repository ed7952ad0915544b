/** A web server that a function's code starts in its container: begun, waited for, and then handed its requests. */
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

import { InvalidError } from "../errors.ts";

export interface ServerOptions {
  readonly port: number;
  /** Until it has to listen. */
  readonly startupMs: number;
}

const lookMs = 20;

/** Resolves when something listens on the port; an InvalidError when nothing does in time. */
export async function listens({ port, startupMs }: ServerOptions): Promise<void> {
  const until = Date.now() + startupMs;
  // The kernel tells nobody that a port is listened on.
  while (!(await answers(port))) {
    if (Date.now() > until) {
      throw new InvalidError(`nothing listens on port ${port} after ${startupMs / 1000} s`, {
        hint: "start the server on that port of 127.0.0.1 or of all addresses, or give it a longer startupTimeout",
      });
    }
    await sleep(lookMs);
  }
}

async function answers(port: number): Promise<boolean> {
  const socket = connect({ host: "127.0.0.1", port });
  try {
    return await new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    });
  } finally {
    socket.destroy();
  }
}
