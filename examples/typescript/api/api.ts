// Hono in front of the deployed model (../llm.ts): types only, nothing of the model is loaded. lydian deploy examples/typescript/api/api.ts
import { Hono } from "hono";
import { streamText } from "hono/streaming";
import { defineWebSocketHelper, WSContext } from "hono/ws";
import { App, client } from "lydian";
import { upgradeWebSocket } from "lydian/web";

import type * as llm from "../llm.ts";

const { Model } = client<typeof llm>("llm");

/** Hono's own call for web sockets, on the platform's. */
const upgrade = defineWebSocketHelper((c, events) => {
  const { socket, response } = upgradeWebSocket(c.req.raw);
  const context = new WSContext({
    send: (data) => socket.send(typeof data === "string" ? data : new Uint8Array(data)),
    close: (code, reason) => socket.close(code, reason),
    readyState: 1,
  });
  socket.addEventListener("message", ({ data }) => events.onMessage?.(new MessageEvent("message", { data }), context));
  socket.addEventListener("close", (event) => events.onClose?.(event, context));
  events.onOpen?.(new Event("open"), context);
  return response;
});

const http = new Hono()
  .get("/health", (c) => c.json({ ok: true }))
  .post("/generate", async (c) => {
    const { prompt } = await c.req.json<{ prompt: string }>();
    const stream = new Model({ name: "tiny" }).stream.withSignal(c.req.raw.signal);
    return streamText(c, async (out) => {
      for await (const token of stream.remote(prompt)) await out.write(`${token} `);
    });
  })
  .get(
    "/socket",
    upgrade(() => ({
      onMessage: ({ data }, socket) => socket.send(`heard ${String(data)}`),
    })),
  );

export const api = new App("api").webEndpoint({ label: "api", minContainers: 1 }, http);
export type Api = typeof http; // hc<Api>(await api.getWebUrl())
