/** A web socket to a server of the user's own in a container, as the other end of an exchange. */
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";

import { type RawData, WebSocket } from "ws";

import { type AsgiMessage, type WebRequest, decodeMessage } from "./asgi.ts";
import type { Ended, Exchange } from "./exchange.ts";
import { towardsServer } from "./headers.ts";

/** Answers how it ended. Never rejects. */
export async function carrySocket(
  exchange: Exchange,
  request: WebRequest,
  connect: () => Promise<Socket>,
): Promise<Ended> {
  let connection: Socket;
  try {
    connection = await connect();
  } catch {
    return "unreachable";
  }
  const { signal } = exchange.over;
  const socket = open(request, connection);
  const leave = (): void => socket.terminate();
  signal.addEventListener("abort", leave, { once: true });
  const closed = new Promise<void>((resolve) => {
    socket.on("error", () => {}); // its close says as much
    socket.on("close", (code, reason) => {
      const value = { $typeName: "modal.client.Asgi.WebsocketClose", code, reason: reason.toString() } as const;
      void exchange.tell({ case: "websocketClose", value });
      resolve();
    });
  });
  let answer: IncomingMessage | undefined;
  socket.on("upgrade", (response: IncomingMessage) => (answer = response));
  socket.on("open", () => {
    void exchange.tell(acceptOf(socket, answer));
    void speak(socket, exchange, signal).catch(leave);
  });
  socket.on("message", (data: RawData, isBinary: boolean) => {
    const bytes = data as Buffer; // the kind that the library gives where nothing else is asked for
    socket.pause();
    void exchange.tell(sendOf(bytes, isBinary), bytes.length).then(() => socket.resume());
  });
  if (signal.aborted) leave();
  await closed;
  signal.removeEventListener("abort", leave);
  return "finished";
}

function open(request: WebRequest, connection: Socket): WebSocket {
  const headers: Record<string, string[]> = {};
  const passing = towardsServer(request);
  for (const [name, value] of passing) if (!name.startsWith("sec-websocket-")) (headers[name] ??= []).push(value);
  const protocols = passing
    .filter(([name]) => name === "sec-websocket-protocol")
    .flatMap(([, list]) => list.split(","));
  return new WebSocket(
    `ws://container${request.target}`,
    protocols.map((word) => word.trim()),
    {
      createConnection: () => connection,
      headers: headers as unknown as Record<string, string>,
      perMessageDeflate: false,
    },
  );
}

function acceptOf(socket: WebSocket, answer: IncomingMessage | undefined): AsgiMessage {
  const headers = (answer?.rawHeaders ?? []).map((text) => Buffer.from(text, "latin1"));
  const accept = { $typeName: "modal.client.Asgi.WebsocketAccept", headers } as const;
  const value = socket.protocol === "" ? accept : { ...accept, subprotocol: socket.protocol };
  return { case: "websocketAccept", value };
}

function sendOf(bytes: Buffer, isBinary: boolean): AsgiMessage {
  const content = isBinary
    ? { case: "bytes" as const, value: new Uint8Array(bytes) }
    : { case: "text" as const, value: bytes.toString() };
  return { case: "websocketSend", value: { $typeName: "modal.client.Asgi.WebsocketSend", content } };
}

/** The caller's messages, at the server's pace. */
async function speak(socket: WebSocket, exchange: Exchange, signal: AbortSignal): Promise<void> {
  for await (const { data } of exchange.listen(0, signal)) {
    const message = decodeMessage(data);
    if (message.case === "websocketDisconnect") return socket.terminate();
    if (message.case !== "websocketReceive") continue;
    const { content } = message.value;
    await new Promise<void>((resolve) => {
      socket.send(content.value ?? "", { binary: content.case === "bytes" }, () => resolve());
    });
  }
}
