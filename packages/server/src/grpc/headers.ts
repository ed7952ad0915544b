/** What gRPC says in HTTP/2 headers: deadlines, statuses, metadata. */
import { constants, type IncomingHttpHeaders, type OutgoingHttpHeaders } from "node:http2";

/** How a call ended, and what travels with that. */
export interface Status {
  /** 0 is success. */
  readonly code: number;
  /** For people; well-formed. Empty with success. */
  readonly text: string;
  /** By names in lower case; text values are ASCII, and those of names that end in "-bin" are bytes. */
  readonly metadata: ReadonlyMap<string, readonly (string | Uint8Array)[]>;
}

/** Sent before the first message of every answer; the form that costs HTTP/2 least. */
export const answerHead: readonly string[] = [":status", "200", "content-type", "application/grpc+proto"];

export function trailersOf({ code, text, metadata }: Status): OutgoingHttpHeaders {
  const trailers: OutgoingHttpHeaders = { "grpc-status": String(code) };
  if (text !== "") trailers["grpc-message"] = encodeURI(text);
  for (const [name, values] of metadata) {
    trailers[name] = values.map((value) => (typeof value === "string" ? value : Buffer.from(value).toString("base64")));
  }
  return trailers;
}

/** Whether a request is one of gRPC at all; anything else gets an HTTP status. */
export function isGrpc(headers: IncomingHttpHeaders): boolean {
  const type = headers["content-type"] ?? "";
  return headers[constants.HTTP2_HEADER_METHOD] === "POST" && /^application\/grpc(?:$|[+;])/.test(type);
}

const unitMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };

/** How long the client waits, in milliseconds; `Infinity` when it does not say, or says nothing that can be understood. */
export function timeoutOf(headers: IncomingHttpHeaders): number {
  const text = headers["grpc-timeout"];
  const match = typeof text === "string" ? /^(\d{1,8})([HMSmun])$/.exec(text) : null;
  const unit = unitMs[match?.[2] ?? ""];
  return match === null || unit === undefined ? Number.POSITIVE_INFINITY : Number(match[1]) * unit;
}
