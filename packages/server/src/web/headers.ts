/** Which header lines pass between a caller and an application, and which end at the ingress: pure functions. */

/** Names and values as they stood on the wire, in their order, repetitions included. */
export type Headers = readonly (readonly [name: string, value: string])[];

/** They speak of one connection, not of the request (RFC 9110, 7.6.1); `te` and `trailer` go as trailers are dropped. */
const ofConnection: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/**
 * Who called, and how, is the ingress's own word: applications trust these. `proxy` becomes the variable HTTP_PROXY where headers
 * become variables, which programs take for the proxy that they are to use.
 */
const ofProxies =
  /^(?:forwarded|proxy|x-real-ip|x-forwarded-.*|x-original-.*|x-rewrite-url|(?:true|cf-connecting|fastly|x|x-cluster)-(?:client-)?ip)$/;

/** Agreed upon between the caller and the ingress. */
const ofWebSocket: ReadonlySet<string> = new Set(["sec-websocket-extensions"]);

const proxyToken: ReadonlySet<string> = new Set(["modal-key", "modal-secret"]);
const bearer = /^Bearer wk-/i;

/** Names in lower case, as ASGI has them. `guarded`: what opened the door is not the application's affair. */
export function towardsApp(headers: Headers, { guarded }: { guarded: boolean }): [name: string, value: string][] {
  const named = namedIn(headers, "connection");
  const passing: [string, string][] = [];
  for (const [given, value] of headers) {
    const name = given.toLowerCase();
    // Where headers become variables (WSGI, CGI) an underscore cannot be told from a dash.
    const meant = name.replaceAll("_", "-");
    if (ofConnection.has(meant) || named.has(name) || ofProxies.test(meant) || ofWebSocket.has(meant)) continue;
    if (meant !== name && (meant === "content-length" || meant === "host")) continue;
    if (guarded && (proxyToken.has(meant) || (meant === "authorization" && bearer.test(value)))) continue;
    passing.push([name, value]);
  }
  return passing;
}

/** What a server of the user's own is told, which has nobody else to tell it who calls. */
export function towardsServer(request: {
  headers: Headers;
  guarded: boolean;
  client: { host: string } | undefined;
}): [name: string, value: string][] {
  const passing = towardsApp(request.headers, request).filter(([name]) => name !== "expect"); // that is answered already
  if (request.client !== undefined) passing.push(["x-forwarded-for", request.client.host]);
  return passing;
}

/** What an application answers, without what the ingress says itself. */
export function towardsCaller(headers: Headers): [name: string, value: string][] {
  const named = namedIn(headers, "connection");
  return headers
    .filter(([name]) => !ofConnection.has(name.toLowerCase()) && !named.has(name.toLowerCase()))
    .map(([name, value]) => [name, value]);
}

/** All values of a header. */
export function valuesOf(headers: Headers, name: string): string[] {
  return headers.filter(([given]) => given.toLowerCase() === name).map(([, value]) => value);
}

/** The words of a header that is a list, in lower case. */
function namedIn(headers: Headers, name: string): Set<string> {
  const words = valuesOf(headers, name).flatMap((value) => value.split(","));
  return new Set(words.map((word) => word.trim().toLowerCase()).filter((word) => word !== ""));
}

/** What an application says about the length of its answer: undefined for nothing, "wrong" for what is no length, or several. */
export function contentLength(headers: Headers): number | undefined | "wrong" {
  const [value, ...others] = valuesOf(headers, "content-length");
  if (value === undefined) return undefined;
  return others.length === 0 && /^\d{1,15}$/.test(value) ? Number(value) : "wrong";
}
