/** Web functions, called by the same program. Each check throws; the last line says that all held. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import http from "node:http";
import { text } from "node:stream/consumers";

import { App, currentInputId, forward } from "lydian";
import { fromNode } from "lydian/node";
import { upgradeWebSocket } from "lydian/web";

const app = new App("typescript-web");

export const api = app.webEndpoint({ label: "typescript-api" }, async (request) => {
  const { pathname, searchParams } = new URL(request.url);
  switch (pathname) {
    case "/greet":
      return Response.json({
        name: searchParams.get("name"),
        agent: request.headers.get("x-agent"),
        input: currentInputId(),
      });
    case "/echo":
      return new Response(request.body, {
        status: 201,
        headers: [
          ["set-cookie", "a=1"],
          ["set-cookie", "b=2"],
        ],
      });
    case "/ticks":
      return new Response(ticks(request.signal));
    default:
      throw new Error(`there is no ${pathname}`);
  }
});

export const built = app.webEndpoint({ name: "built" }, async () => ({
  fetch: () => new Response("made in the container"),
}));

export const socket = app.webEndpoint((request) => {
  if (request.headers.get("upgrade") !== "websocket") return new Response("no socket", { status: 426 });
  const { pathname } = new URL(request.url);
  if (pathname === "/refused") return new Response(null, { status: 403 });
  const { socket: own, response } = upgradeWebSocket(request, { protocol: "chat" });
  own.send("welcome");
  own.addEventListener("message", ({ data }) => {
    if (data === "bye") own.close(4001, "as you wish");
    else own.send(typeof data === "string" ? data.toUpperCase() : data.toReversed());
  });
  own.addEventListener("close", ({ code }) => console.log(`closed with ${code}`));
  return response;
});

export const listener = app.webEndpoint(
  { name: "listener" },
  fromNode((incoming, response) => {
    response.setHeader("x-by", "node");
    incoming.pipe(response);
  }),
);

export const server = app.webServer({ port: 8123, startupTimeout: "20s" }, () => {
  const started = http.createServer((incoming, response) => response.end(`served ${incoming.url}`));
  // A socket of a server's own: one frame of text, and the end.
  started.on("upgrade", (incoming, own) => {
    const key = createHash("sha1")
      .update(`${incoming.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest("base64");
    own.write(`HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n`);
    own.write(`sec-websocket-accept: ${key}\r\n\r\n`);
    own.end(Buffer.concat([Buffer.from([0x81, 5]), Buffer.from("hello"), Buffer.from([0x88, 2, 0x03, 0xe8])]));
  });
  setTimeout(() => started.listen(8123, "127.0.0.1"), 100);
});

/** Answers one request on a port that it makes reachable itself. */
export const tunnelled = app.function(async function* () {
  const asked = Promise.withResolvers<void>();
  const own = http.createServer((incoming, response) => response.end(`through ${incoming.url}`, () => asked.resolve()));
  await new Promise<void>((resolve) => own.listen(8200, "0.0.0.0", resolve));
  await using tunnel = await forward(8200, { unencrypted: true });
  yield { url: tunnel.url, hasTcp: tunnel.tcpSocket !== undefined };
  await asked.promise;
});

function ticks(signal: AbortSignal): ReadableStream<Uint8Array> {
  return ReadableStream.from(
    (async function* () {
      for (let at = 0; !signal.aborted; at++) {
        yield Buffer.from(`${at}\n`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      console.log("the caller is gone");
    })(),
  );
}

export const main = app.localEntrypoint({ tunnels: true }, async ({ tunnels }) => {
  const url = await api.getWebUrl();
  assert.match(url, /typescript-api/);
  const greeted = JSON.parse(
    await text(await ask(url, "/greet?name=Ada%20L", { headers: { "x-agent": "me" } })),
  ) as Record<string, string>;
  assert.deepEqual([greeted["name"], greeted["agent"]], ["Ada L", "me"]);
  assert.match(greeted["input"] ?? "", /^in-/);
  const large = "x".repeat(3_000_000);
  const echoed = await ask(url, "/echo", { method: "POST" }, large);
  assert.deepEqual([echoed.statusCode, echoed.headers["set-cookie"]], [201, ["a=1", "b=2"]]);
  assert.equal(await text(echoed), large);
  assert.equal((await ask(url, "/none")).statusCode, 500);
  const streamed = await ask(url, "/ticks");
  for await (const piece of streamed) if (String(piece).includes("3")) break;
  streamed.destroy();
  assert.equal(await text(await ask(await built.getWebUrl(), "/")), "made in the container");
  assert.equal(await (await built.local(new Request("http://localhost/"))).text(), "made in the container");
  const posted = await ask(await listener.getWebUrl(), "/", { method: "POST" }, "piped");
  assert.deepEqual([posted.headers["x-by"], await text(posted)], ["node", "piped"]);
  assert.equal(await text(await ask(await server.getWebUrl(), "/a?b=1")), "served /a?b=1");
  if (tunnels) {
    for await (const { url, hasTcp } of tunnelled.remote()) {
      assert.deepEqual([await text(await ask(url, "/tunnel")), hasTcp], ["through /tunnel", true]);
    }
  }
  console.log("all of it holds");
});

/** Addresses are below localhost, which not every host resolves. */
function ask(
  url: string,
  path: string,
  options: Omit<http.RequestOptions, "headers"> & { headers?: Record<string, string> } = {},
  body?: string,
): Promise<http.IncomingMessage> {
  const { host, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const headers = { ...options.headers, host };
    http
      .request({ host: "127.0.0.1", port, path, agent: false, ...options, headers }, resolve)
      .on("error", reject)
      .end(body);
  });
}
