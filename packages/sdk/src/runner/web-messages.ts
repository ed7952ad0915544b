/** What the caller of a web request says, in order, as messages; and the platform's words for what is answered. */
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { type Asgi, AsgiSchema, ModalClient } from "@lydian/contract";

import type { Client } from "../client/client.ts";

/** What a caller says is held for so long, in milliseconds; then it is asked for again. */
const streamMs = 75_000;

export type Message = Asgi["type"];

/** What a request is, as the platform says it first. */
export interface Scope {
  readonly type: string;
  readonly method?: string;
  readonly scheme: string;
  readonly raw_path: Uint8Array;
  readonly query_string: Uint8Array;
  readonly headers: readonly (readonly [Uint8Array, Uint8Array])[];
  readonly subprotocols?: readonly string[];
}

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

export function urlOf({ scheme, raw_path: path, query_string: query }: Scope, headers: Headers): string {
  const rest = query.byteLength === 0 ? "" : `?${latin1(query)}`;
  return `${scheme.replace(/^ws/, "http")}://${headers.get("host") ?? "localhost"}${latin1(path)}${rest}`;
}

export function headersOf({ headers }: Scope): Headers {
  return new Headers(headers.map(([name, value]): [string, string] => [latin1(name), latin1(value)]));
}

/** Opened again where it ends, until it is over. */
export async function* incoming(client: Client, callId: string, signal: AbortSignal): AsyncGenerator<Message, void> {
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

export function encode(type: NonNullable<MessageInitShape<typeof AsgiSchema>["type"]>): Uint8Array {
  return toBinary(AsgiSchema, create(AsgiSchema, { type }));
}
