/** A fetch handler that hands requests on to a server that listens on a port of this machine. */
import http from "node:http";
import { Readable } from "node:stream";

import type { FetchHandler } from "./handler.ts";
import { upgradeWebSocket } from "./socket.ts";

const host = "127.0.0.1";

/** Of one connection, and so of nobody behind it. */
const hopHeaders = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

export function proxyTo(port: number): FetchHandler {
  const agent = new http.Agent({ keepAlive: true });
  return async (request) => {
    if (request.headers.get("upgrade")?.toLowerCase() === "websocket") return await joinSockets(port, request);
    const { pathname, search } = new URL(request.url);
    const headers = passing(request.headers);
    const incoming = await new Promise<http.IncomingMessage>((resolve, reject) => {
      const { method, signal } = request;
      const sent = http.request({ host, port, path: pathname + search, method, headers, agent, signal }, resolve);
      sent.on("error", reject);
      if (request.body === null) sent.end();
      else
        Readable.fromWeb(request.body)
          .on("error", (error) => sent.destroy(error))
          .pipe(sent);
    });
    return answerOf(incoming, request.method);
  };
}

function passing(headers: Headers): http.OutgoingHttpHeaders {
  return Object.fromEntries([...headers].filter(([name]) => !hopHeaders.has(name)));
}

function answerOf(incoming: http.IncomingMessage, method: string): Response {
  const { statusCode: status = 502, rawHeaders } = incoming;
  const headers = new Headers();
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const [name = "", value = ""] = [rawHeaders[at], rawHeaders[at + 1]];
    if (!hopHeaders.has(name.toLowerCase())) headers.append(name, value);
  }
  const hasBody = method !== "HEAD" && ![101, 204, 205, 304].includes(status);
  if (!hasBody) incoming.resume();
  return new Response(hasBody ? (Readable.toWeb(incoming) as ReadableStream) : null, { status, headers });
}

/** Accepted once the server has accepted; frames then go both ways. */
async function joinSockets(port: number, request: Request): Promise<Response> {
  const { pathname, search } = new URL(request.url);
  const offered = (request.headers.get("sec-websocket-protocol") ?? "").split(",").map((word) => word.trim());
  const protocols = offered.filter((word) => word !== "");
  const headers = passing(request.headers);
  for (const name of Object.keys(headers)) if (name.startsWith("sec-websocket-")) delete headers[name];
  // Node's own web socket takes headers as well, which its types, those of the web, do not say.
  const options = { protocols, headers } as unknown as string[];
  const inner = new WebSocket(`ws://${host}:${port}${pathname}${search}`, options);
  inner.binaryType = "arraybuffer";
  const early: MessageEvent[] = [];
  const keep = (event: MessageEvent): void => void early.push(event);
  inner.addEventListener("message", keep);
  const opened = await new Promise<boolean>((resolve) => {
    inner.addEventListener("open", () => resolve(true), { once: true });
    inner.addEventListener("error", () => resolve(false), { once: true });
  });
  if (!opened) return new Response("the server did not accept the web socket", { status: 502 });
  const { socket, response } = upgradeWebSocket(request, inner.protocol === "" ? {} : { protocol: inner.protocol });
  inner.removeEventListener("message", keep);
  const pass = ({ data }: MessageEvent): void => socket.send(data as string | ArrayBuffer);
  early.forEach(pass);
  inner.addEventListener("message", pass);
  inner.addEventListener("close", ({ code, reason }) => socket.close(code === 1005 ? 1000 : code, reason));
  socket.addEventListener("message", ({ data }) => inner.send(data));
  // Codes that a program may not give are those of connections that broke.
  socket.addEventListener("close", ({ code, reason }) =>
    inner.close(code === 1000 || code >= 3000 ? code : 1000, reason),
  );
  return response;
}
