/** Reads which web function a request is for, and describes it: only what its connection and its headers say for sure. */
import type { IncomingMessage } from "node:http";
import { TLSSocket } from "node:tls";

import { endpointHost, webBase, type WebSettings } from "../domain/web-address.ts";
import type { WebRequest } from "../web/asgi.ts";
import { type Headers, valuesOf } from "../web/headers.ts";
import { identityOf } from "./identity.ts";
import { type Refusal, refusals } from "./web-refusal.ts";

/** What a request is for. `refused`: it contradicts itself, or says what is not understood here, and is passed on to nobody. */
export type Destination =
  | { kind: "platform" }
  | { kind: "endpoint"; host: string }
  | { kind: "refused"; refusal: Refusal };

/** Containers' doors lead to the platform alone. */
export function destinationOf(request: IncomingMessage, settings: WebSettings): Destination {
  if (identityOf(request.socket) !== undefined) return { kind: "platform" };
  const named = valuesOf(headersOf(request), "host");
  const absolute = /^https?:\/\/([^/?#]*)/i.exec(request.url ?? "")?.[1];
  const host = endpointHost(absolute ?? named[0] ?? "", settings);
  const isNamed = named.some((name) => endpointHost(name, settings) !== undefined);
  if (host === undefined && !isNamed) return { kind: "platform" };
  const refused = (refusal: Refusal): Destination => ({ kind: "refused", refusal });
  if (named.length > 1) return refused(refusals.contradiction("It has several Host headers."));
  if (host === undefined || (absolute !== undefined && absolute !== named[0])) {
    return refused(refusals.contradiction("Its address and its Host header name different hosts."));
  }
  if (!/^1\.[01]$/.test(request.httpVersion)) return refused(refusals.otherVersion);
  const { "transfer-encoding": coding } = request.headers;
  if (coding !== undefined && coding.toLowerCase() !== "chunked") return refused(refusals.otherCoding);
  return { kind: "endpoint", host };
}

export function describeRequest(
  request: IncomingMessage,
  { kind, guarded, settings }: { kind: WebRequest["kind"]; guarded: boolean; settings: WebSettings },
): WebRequest {
  const { socket, httpVersion, method = "GET", url = "/" } = request;
  const { remoteAddress: host, remotePort: port } = socket;
  return {
    kind,
    // Behind a proxy that ends TLS the platform's own address says what callers see.
    scheme: socket instanceof TLSSocket ? "https" : webBase(settings).scheme,
    httpVersion,
    method,
    target: url.replace(/^https?:\/\/[^/?#]*/i, "").replace(/^(?!\/)/, url === "*" ? "" : "/"),
    headers: headersOf(request),
    client: host === undefined || port === undefined ? undefined : { host: host.replace(/^::ffff:/, ""), port },
    guarded,
  };
}

export function headersOf({ rawHeaders }: Pick<IncomingMessage, "rawHeaders">): Headers {
  return Array.from({ length: rawHeaders.length / 2 }, (_, i) => [
    rawHeaders[2 * i] ?? "",
    rawHeaders[2 * i + 1] ?? "",
  ]);
}
