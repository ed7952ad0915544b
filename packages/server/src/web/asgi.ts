/** Requests, answers and frames in the words that containers take and give: those of Python's ASGI. */
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  type Asgi,
  Asgi_HttpRequestSchema,
  AsgiSchema,
  DataFormat,
  type FunctionInput,
  FunctionInputSchema,
} from "@lydian/contract";

import { type Cbor, encodeCbor } from "./cbor.ts";
import { type Headers, towardsApp } from "./headers.ts";

/** What an application or a caller says: one case of the wire's message. */
export type AsgiMessage = Asgi["type"];

export interface WebRequest {
  kind: "http" | "websocket";
  /** `http` or `https`, as the caller sees it. */
  scheme: string;
  httpVersion: string;
  method: string;
  /** Path and query, as they stood in the request. */
  target: string;
  headers: Headers;
  /** The caller's address; undefined when it has none, as over a unix socket. */
  client: { host: string; port: number } | undefined;
  /** Its headers have opened a guarded door. */
  guarded: boolean;
}

/** The one argument of a web function's input: the request as an ASGI scope. `method` is a class's. */
export function inputOf(request: WebRequest, method: string): FunctionInput {
  return create(FunctionInputSchema, {
    argsOneof: { case: "args", value: encodeCbor([[scopeOf(request)], {}]) },
    dataFormat: DataFormat.CBOR,
    ...(method !== "" && { methodName: method }),
  });
}

function scopeOf({ kind, scheme, httpVersion, method, target, headers, client, guarded }: WebRequest): Cbor {
  const [path = "", ...query] = target.split("?");
  const passing = towardsApp(headers, { guarded });
  const protocols = passing
    .filter(([name]) => name === "sec-websocket-protocol")
    .flatMap(([, value]) => value.split(","));
  return {
    type: kind,
    asgi: { version: "3.0", spec_version: "2.3" },
    http_version: httpVersion,
    scheme: kind === "http" ? scheme : scheme === "https" ? "wss" : "ws",
    path: decodePath(path).toString(),
    raw_path: latin1(path),
    query_string: latin1(query.join("?")),
    root_path: "",
    headers: passing.map(([name, value]) => [latin1(name), latin1(value)]),
    ...(kind === "http" && { method }),
    ...(kind === "websocket" && { subprotocols: protocols.map((word) => word.trim()).filter((word) => word !== "") }),
    ...(client && { client: [client.host, client.port] }),
  };
}

/** As bytes: what they mean together is only known when all are there. A percent sign without two digits is one. */
function decodePath(path: string): Buffer {
  const bytes = path.replaceAll(/%([0-9a-f]{2})/gi, (_all, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  );
  return latin1(bytes);
}

/** As the bytes stood on the wire. */
const latin1 = (text: string): Buffer => Buffer.from(text, "latin1");

export function encodeMessage(type: NonNullable<MessageInitShape<typeof AsgiSchema>["type"]>): Uint8Array {
  return toBinary(AsgiSchema, create(AsgiSchema, { type }));
}

/** The same for a piece of a body that lies in several: copied once, where the codec would copy it for each message around it. */
export function encodeBody(pieces: readonly Uint8Array[], moreBody: boolean): Uint8Array {
  const bytes = pieces.reduce((sum, { length }) => sum + length, 0);
  const [outer, inner] = [tagOf(AsgiSchema.field.httpRequest), tagOf(Asgi_HttpRequestSchema.field.body)];
  const more = moreBody ? [Asgi_HttpRequestSchema.field.moreBody.number << 3, 1] : [];
  const body = bytes === 0 ? [] : [inner, ...varint(bytes)];
  const head = [outer, ...varint(body.length + bytes + more.length), ...body];
  const whole = Buffer.allocUnsafe(head.length + bytes + more.length);
  whole.set(head);
  let at = head.length;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  whole.set(more, at);
  return whole;
}

/** Of a field with a length; all numbers here are small. */
const tagOf = ({ number }: { number: number }): number => (number << 3) | 2;

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}

/** Throws at what is no such message. */
export function decodeMessage(bytes: Uint8Array): AsgiMessage {
  return fromBinary(AsgiSchema, bytes).type;
}

/** Headers are name, value, name, value, …; one without its value is none. */
export function headersOf(flat: readonly Uint8Array[]): [name: string, value: string][] {
  const text = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString("latin1");
  return Array.from({ length: Math.floor(flat.length / 2) }, (_, i) => [text(flat[2 * i]), text(flat[2 * i + 1])]);
}
