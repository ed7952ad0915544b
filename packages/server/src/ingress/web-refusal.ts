/** What the ingress itself answers in place of a web function: a status, a sentence for people, nothing from inside. */
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";

export interface Refusal {
  status: number;
  /** For people: what happened and what to do. */
  text: string;
  headers?: Readonly<Record<string, string>>;
}

const again = { "retry-after": "1" };

export const refusals = {
  unknownHost: (host: string): Refusal => ({
    status: 404,
    text:
      `No web function has the address ${host}. It may have been stopped, or its address may have changed: ` +
      "whatever runs, serves or deploys an app prints the addresses of its web functions.",
  }),
  contradiction: (why: string): Refusal => ({ status: 400, text: `The request is not understood. ${why}` }),
  noProxy: { status: 405, text: "This is no proxy." },
  otherVersion: { status: 505, text: "Only HTTP/1.1 and HTTP/1.0 are spoken here." },
  otherCoding: { status: 501, text: "The request's body is in a transfer coding that is not `chunked` alone." },
  unauthorized: {
    status: 401,
    text:
      "This web function takes only requests with a proxy token, in the headers Modal-Key and Modal-Secret. " +
      "`lydian proxy-token create` makes one, or `modal workspace proxy-tokens create`.",
    headers: { "www-authenticate": 'Modal-Proxy-Token realm="web function"' },
  },
  tooLarge: { status: 413, text: "The request's body is larger than this platform takes." },
  tooSlow: { status: 408, text: "The request's body did not arrive in time." },
  unknownResult: {
    status: 404,
    text: "The result of this request is not there any more: it was taken already, or too late.",
  },
  failed: {
    status: 500,
    text: "The web function failed. Its app's log says why: `lydian logs` shows it, or `modal app logs`.",
  },
  silent: { status: 500, text: "The web function ended without an answer." },
  cannotStart: {
    status: 500,
    text: "The web function could not be started. Its app's log says why: `lydian logs` shows it, or `modal app logs`.",
  },
  invalid: { status: 502, text: "The web function gave an answer that is no valid HTTP." },
  lost: { status: 502, text: "The container that had this request ended before it had answered.", headers: again },
  unreachable: { status: 502, text: "Nothing takes connections on that port of the container.", headers: again },
  stopped: { status: 503, text: "The web function was stopped before it had answered.", headers: again },
  timeout: { status: 504, text: "The web function ran longer than its timeout." },
  tooMany: {
    status: 429,
    text: "The server has as many requests as it takes at a time. Try again later.",
    headers: again,
  },
  full: (seconds: number): Refusal => ({
    status: 503,
    text: "The web function has more requests waiting than it may have. Try again later.",
    headers: { "retry-after": String(seconds) },
  }),
} as const satisfies Record<string, Refusal | ((...given: never[]) => Refusal)>;

/** Nothing happens when an answer has begun already. */
export function refuse(request: IncomingMessage, response: ServerResponse, { status, text, headers }: Refusal): void {
  if (response.headersSent || response.destroyed) return;
  const wantsJson = request.headers.accept?.includes("application/json") === true;
  const body = wantsJson ? JSON.stringify({ error: { status, message: text } }) : `${text}\n`;
  response.writeHead(status, {
    "content-type": wantsJson ? "application/json" : "text/plain; charset=utf-8",
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
    // A body that is still on its way would be taken for the next request's beginning.
    ...(!request.complete && { connection: "close" }),
    ...headers,
  });
  response.end(body);
}

/** The same before a connection has become a web socket. */
export function refusalText({ status, text, headers }: Refusal): string {
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    "connection: close",
    "content-type: text/plain; charset=utf-8",
    `content-length: ${Buffer.byteLength(text) + 1}`,
    ...Object.entries(headers ?? {}).map(([name, value]) => `${name}: ${value}`),
  ];
  return `${lines.join("\r\n")}\r\n\r\n${text}\n`;
}
