/** One web request as a fetch handler takes it: from the platform's messages to a Request, and from the Response to messages. */
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { type Asgi, AsgiSchema, ModalClient } from "@lydian/contract";

import type { Client } from "../client/client.ts";
import type { FetchHandler } from "../web.ts";
import { ItemStream } from "./item-stream.ts";
import { generated, type Outcome } from "./results.ts";

/** What a caller says is held for so long, in milliseconds; then it is asked for again. */
const streamMs = 75_000;
/** A message of a body has no more bytes. */
const mostBytes = 1024 * 1024;

/** What a request is, as the platform says it first. */
export interface Scope {
  readonly type: string;
  readonly method: string;
  readonly scheme: string;
  readonly raw_path: Uint8Array;
  readonly query_string: Uint8Array;
  readonly headers: readonly (readonly [Uint8Array, Uint8Array])[];
}

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

/** Resolves when the answer is complete. `signal` aborts when the caller is gone. */
export async function answerRequest(
  client: Client,
  handler: FetchHandler,
  { scope, callId, signal }: { scope: Scope; callId: string; signal: AbortSignal },
): Promise<Outcome> {
  const answer = new ItemStream(client, callId);
  if (scope.type !== "http") {
    const reason = "this function answers no web sockets";
    await answer.say(encode({ case: "websocketClose", value: { code: 1011, reason } }));
    return generated(answer.count);
  }
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

/** What the caller says, in order. Opened again where it ends, until it is over. */
async function* incoming(client: Client, callId: string, signal: AbortSignal): AsyncGenerator<Asgi["type"], void> {
  let lastIndex = 0n;
  while (!signal.aborted) {
    const request = { callInfo: { case: "functionCallId" as const, value: callId }, lastIndex };
    try {
      for await (const chunk of client.follow(ModalClient.method.functionCallGetDataIn, request, {
        timeoutMs: streamMs,
        signal,
      })) {
        lastIndex = chunk.index;
        if (chunk.dataOneof.case === "data") yield fromBinary(AsgiSchema, chunk.dataOneof.value).type;
      }
    } catch (error) {
      if (signal.aborted) return;
      throw error;
    }
  }
}

/** Read as the handler reads it; goes on listening behind it, for a caller that leaves. */
function bodyOf(messages: AsyncGenerator<Asgi["type"], void>, gone: AbortController): ReadableStream<Uint8Array> {
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
  const headers = new Headers(scope.headers.map(([name, value]): [string, string] => [latin1(name), latin1(value)]));
  const query = latin1(scope.query_string);
  const url = `${scope.scheme}://${headers.get("host") ?? "localhost"}${latin1(scope.raw_path)}${query === "" ? "" : `?${query}`}`;
  const hasBody = scope.method !== "GET" && scope.method !== "HEAD";
  return new Request(url, { method: scope.method, headers, signal, ...(hasBody && { body, duplex: "half" }) });
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

function encode(type: NonNullable<MessageInitShape<typeof AsgiSchema>["type"]>): Uint8Array {
  return toBinary(AsgiSchema, create(AsgiSchema, { type }));
}
