/** One web request as a fetch handler takes it: from the platform's messages to a Request, and from the Response to messages. */
import type { Client } from "../client/client.ts";
import type { FetchHandler } from "../web/handler.ts";
import { ItemStream } from "./item-stream.ts";
import { generated, type Outcome } from "./results.ts";
import { encode, headersOf, incoming, type Message, type Scope, urlOf } from "./web-messages.ts";

/** A message of a body has no more bytes. */
const mostBytes = 1024 * 1024;

/** Resolves when the answer is complete. `signal` aborts when the caller is gone. */
export async function answerRequest(
  client: Client,
  handler: FetchHandler,
  { scope, callId, signal }: { scope: Scope; callId: string; signal: AbortSignal },
): Promise<Outcome> {
  const answer = new ItemStream(client, callId);
  const gone = new AbortController();
  const over = new AbortController();
  const either = AbortSignal.any([signal, gone.signal]);
  const messages = incoming(client, callId, over.signal);
  try {
    const body = bodyOf(messages, gone);
    const response = await handler(requestOf(scope, body, either));
    await answerWith(answer, response, either);
    return generated(answer.count);
  } finally {
    over.abort();
  }
}

/** Read as the handler reads it; goes on listening behind it, for a caller that leaves. */
function bodyOf(messages: AsyncGenerator<Message, void>, gone: AbortController): ReadableStream<Uint8Array> {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const listen = async (): Promise<void> => {
    for await (const message of messages) {
      if (message.case === "httpDisconnect") {
        gone.abort(new DOMException("the caller is gone", "AbortError"));
        await writer.abort(gone.signal.reason);
        return;
      }
      if (message.case !== "httpRequest") continue;
      if (message.value.body.byteLength > 0) await writer.write(message.value.body);
      if (!message.value.moreBody) void writer.close().catch(() => {}); // nobody has to read it
    }
  };
  listen().catch((error: unknown) => writer.abort(error).catch(() => {})); // who reads the body hears of it; or it is over
  return readable;
}

function requestOf(scope: Scope, body: ReadableStream<Uint8Array>, signal: AbortSignal): Request {
  const headers = headersOf(scope);
  const { method = "GET" } = scope;
  const hasBody = method !== "GET" && method !== "HEAD";
  return new Request(urlOf(scope, headers), { method, headers, signal, ...(hasBody && { body, duplex: "half" }) });
}

async function answerWith(answer: ItemStream, response: Response, signal: AbortSignal): Promise<void> {
  if (!(response instanceof Response)) throw new TypeError("a web function has to return a Response");
  const headers = [...response.headers].flatMap(([name, value]) => [
    Buffer.from(name, "latin1"),
    Buffer.from(value, "latin1"),
  ]);
  await answer.say(encode({ case: "httpResponseStart", value: { status: response.status, headers } }));
  for await (const piece of response.body ?? []) {
    signal.throwIfAborted(); // leaves the loop, which cancels the body
    for (let at = 0; at < piece.byteLength; at += mostBytes) {
      await answer.say(
        encode({ case: "httpResponseBody", value: { body: piece.subarray(at, at + mostBytes), moreBody: true } }),
      );
    }
  }
  await answer.say(encode({ case: "httpResponseBody", value: { moreBody: false } }));
}
