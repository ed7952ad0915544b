/** One web socket as a web function takes it: offered by a request, accepted by the answer, then frames both ways. */
import type { Client } from "../client/client.ts";
import type { FetchHandler } from "../web/handler.ts";
import { acceptedBy, type Frame, offerSocket, type ServerSocket } from "../web/socket.ts";
import { ItemStream } from "./item-stream.ts";
import { generated, type Outcome } from "./results.ts";
import { encode, headersOf, incoming, type Message, type Scope, urlOf } from "./web-messages.ts";

/** Of a connection that broke, and of a caller that may not have what it asks for. */
const broken = 1006;
const refused = 1008;

/** Resolves when it is closed. `signal` aborts when the caller is gone. */
export async function answerSocket(
  client: Client,
  handler: FetchHandler,
  { scope, callId, signal }: { scope: Scope; callId: string; signal: AbortSignal },
): Promise<Outcome> {
  const answer = new ItemStream(client, callId);
  const over = new AbortController();
  const messages = incoming(client, callId, over.signal);
  try {
    const headers = headersOf(scope);
    const request = new Request(urlOf(scope, headers), { headers: withUpgrade(headers), signal });
    offerSocket(request, scope.subprotocols ?? []);
    const response = await handler(request);
    const accepted = acceptedBy(response);
    if (accepted === undefined) {
      await answer.say(encode({ case: "websocketClose", value: { code: refused, reason: "" } }));
      return generated(answer.count);
    }
    const { socket, headers: own } = accepted;
    const flat = Object.entries(own).flatMap(([name, value]) => [
      Buffer.from(name, "latin1"),
      Buffer.from(value, "latin1"),
    ]);
    const protocol = socket.protocol === "" ? {} : { subprotocol: socket.protocol };
    await answer.say(encode({ case: "websocketAccept", value: { ...protocol, headers: flat } }));
    await carry(socket, answer, messages, over);
    return generated(answer.count);
  } finally {
    over.abort();
  }
}

/** Until either end closes it. */
async function carry(
  socket: ServerSocket,
  answer: ItemStream,
  messages: AsyncGenerator<Message, void>,
  over: AbortController,
): Promise<void> {
  let said = Promise.resolve();
  const say = (message: Uint8Array): void => {
    said = said.then(() => answer.say(message));
    said.catch((error: unknown) => over.abort(error)); // told by `hear`
  };
  const hearing = hear(socket, messages);
  socket.opened({
    send: (frame) => say(encode({ case: "websocketSend", value: { content: contentOf(frame) } })),
    close: (code, reason) => {
      say(encode({ case: "websocketClose", value: { code, reason } }));
      said.then(
        () => over.abort(),
        () => {},
      );
    },
  });
  await hearing;
  await said;
}

async function hear(socket: ServerSocket, messages: AsyncGenerator<Message, void>): Promise<void> {
  for await (const message of messages) {
    if (message.case === "websocketReceive") {
      const { value } = message.value.content;
      socket.received(typeof value === "string" ? value : new Uint8Array(value ?? []));
    } else if (message.case === "websocketDisconnect") {
      return socket.ended(message.value.code ?? broken, "");
    } else if (message.case === "httpDisconnect") {
      return socket.ended(broken, "");
    }
  }
}

function contentOf(frame: Frame): { case: "text"; value: string } | { case: "bytes"; value: Uint8Array } {
  return typeof frame === "string" ? { case: "text", value: frame } : { case: "bytes", value: frame };
}

/** By which a handler tells that a socket is asked for; the platform drops it, as it is of one connection alone. */
function withUpgrade(headers: Headers): Headers {
  const own = new Headers(headers);
  own.set("upgrade", "websocket");
  return own;
}
