/** Whether a request may be brought to a web function, and the beginning of that. */
import type { IncomingMessage } from "node:http";

import type { Clock, Logger } from "@lydian/kit";

import type { ServerConfig } from "../config.ts";
import type { Hear } from "../domain/happening.ts";
import type { Store } from "../domain/store.ts";
import type { WebAddress } from "../domain/web-address.ts";
import { isFail } from "../errors.ts";
import { mayPass } from "../identity/proxy-tokens.ts";
import type { Addresses } from "../web/addresses.ts";
import type { WebRequest } from "../web/asgi.ts";
import type { WebCalls } from "../web/calls.ts";
import type { Desks } from "../web/desks.ts";
import type { StraightCalls } from "../web/straight.ts";
import type { Tunnel, Tunnels } from "../web/tunnels.ts";
import type { Exchange } from "../web/exchange.ts";
import { type Headers, valuesOf } from "../web/headers.ts";
import { type Refusal, refusals } from "./web-refusal.ts";
import { describeRequest, headersOf } from "./web-request.ts";

export interface WebDeps {
  web: WebCalls;
  addresses: Addresses;
  desks: Pick<Desks, "begin">;
  straight: Pick<StraightCalls, "begin" | "isFull">;
  tunnels: Pick<Tunnels, "find" | "begin">;
  store: Store;
  clock: Clock;
  config: ServerConfig;
  log: Logger;
  hear: Hear;
}

/** Where a request goes: a web function, or in its place what a container has made reachable. */
export type Admitted = WebAddress & { tunnel?: Tunnel };

/** Whose address this is, or why the request goes no further. */
export async function admit(
  { addresses, tunnels, store }: WebDeps,
  host: string,
  request: IncomingMessage,
): Promise<Admitted | Refusal> {
  const tunnel = tunnels.find(host);
  if (tunnel !== undefined) return { host, functionId: tunnel.label, method: "", guarded: false, tunnel };
  const address = await addresses.find(host);
  if (address === undefined) return refusals.unknownHost(request.headers.host ?? host);
  if (!address.guarded) return address;
  const { id, secret } = tokenIn(headersOf(request));
  return (await store.read((tx) => mayPass(tx, id, secret))) ? address : refusals.unauthorized;
}

/** In headers of its own, or as `Authorization: Bearer <id>.<secret>`, as the clients print it. */
function tokenIn(headers: Headers): { id: string; secret: string } {
  const [id] = valuesOf(headers, "modal-key");
  const [secret] = valuesOf(headers, "modal-secret");
  if (id !== undefined && secret !== undefined) return { id, secret };
  const [, bearerId = "", bearerSecret = ""] =
    /^Bearer (wk-\w+)\.(ws-\w+)$/i.exec(valuesOf(headers, "authorization")[0] ?? "") ?? [];
  return { id: bearerId, secret: bearerSecret };
}

/** The call of the function, or why it takes none now. */
export async function begin(
  { web, desks, straight, tunnels, config: settings }: WebDeps,
  address: Admitted,
  request: IncomingMessage,
  kind: WebRequest["kind"],
): Promise<Exchange | Refusal> {
  const { guarded, host } = address;
  try {
    const described = describeRequest(request, { kind, guarded, settings });
    if (address.tunnel !== undefined) return tunnels.begin(address.tunnel, described);
    const atOnce = straight.begin(address.functionId, described) ?? desks.begin(address, described);
    if (atOnce !== undefined) return atOnce;
    return straight.isFull(address.functionId) ? refusals.tooMany : await web.begin(address, described);
  } catch (error) {
    if (isFail(error, "invalidArgument")) return refusals.contradiction(error.text);
    if (isFail(error, "resourceExhausted")) return refusals.full(error.retryAfter ?? 1);
    // It was there a moment ago.
    if (isFail(error, "notFound") || isFail(error, "failedPrecondition")) return refusals.unknownHost(host);
    throw error;
  }
}
