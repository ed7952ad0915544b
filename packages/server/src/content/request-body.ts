/** The body of an HTTP request as it comes in. */
import type { IncomingMessage } from "node:http";

/** An upload in which nothing moves for this long is given up, in milliseconds. */
const bodySilenceMs = 60_000;

/** A stream that fails when it stops moving. */
export async function* bodyOf(request: IncomingMessage): AsyncGenerator<Uint8Array> {
  const { socket } = request;
  socket.setTimeout(bodySilenceMs); // the HTTP server destroys it then
  try {
    // Leaving early must not destroy the connection: the refusal has still to be sent.
    for await (const chunk of request.iterator({ destroyOnReturn: false })) yield chunk as Buffer;
  } finally {
    socket.setTimeout(0);
  }
}
