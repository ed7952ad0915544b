/** Whether a name server answers, asked from the host or from within a network namespace. */
import dgram from "node:dgram";
import { once } from "node:events";
import net from "node:net";

import { type Clock, sleep } from "@lydian/kit";

/** The servers of the root; any answer, a refusal included, shows that the server is reached. */
const question = Buffer.from("4c59010000010000000000000000020001", "hex");
const answerMs = 1000;

/** `socketFor` makes the socket to ask with. Answers whether one of the servers answered in time. */
export async function someAnswers(
  servers: readonly string[],
  socketFor: (server: string) => Promise<dgram.Socket>,
  clock: Clock,
): Promise<boolean> {
  const over = new AbortController();
  try {
    const first = Promise.any(servers.map((server) => answers(server, socketFor, over.signal)));
    const late = sleep(clock, answerMs, over.signal).then(() => false);
    late.catch(() => {}); // ended below
    return await Promise.race([first.catch(() => false), late]);
  } finally {
    over.abort();
  }
}

async function answers(
  server: string,
  socketFor: (server: string) => Promise<dgram.Socket>,
  signal: AbortSignal,
): Promise<true> {
  const socket = await socketFor(server);
  socket.on("error", () => {}); // whoever waits for the socket is told as well
  try {
    signal.throwIfAborted();
    socket.connect(53, server);
    await once(socket, "connect", { signal });
    socket.send(question);
    await once(socket, "message", { signal });
    return true;
  } finally {
    socket.close();
  }
}

/** A socket of the host. */
export function hostSocket(server: string): Promise<dgram.Socket> {
  return Promise.resolve(dgram.createSocket(net.isIPv6(server) ? "udp6" : "udp4"));
}
