/** Web functions, called by the same program. Each check throws; the last line says that all held. */
import assert from "node:assert/strict";
import http from "node:http";
import { text } from "node:stream/consumers";

import { App, currentInputId } from "lydian";

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

export const main = app.localEntrypoint(async () => {
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
