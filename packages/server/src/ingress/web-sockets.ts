/** Web sockets of functions: accepted when the application accepts, then frames both ways at each end's own pace. */
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";

import type { Asgi_WebsocketAccept, Asgi_WebsocketClose, Asgi_WebsocketSend } from "@lydian/contract";
import { type RawData, type WebSocket, WebSocketServer } from "ws";

import { encodeMessage, headersOf as pairsOf } from "../web/asgi.ts";
import type { Exchange } from "../web/exchange.ts";
import { towardsCaller } from "../web/headers.ts";
import { type Admitted, begin, type WebDeps } from "./web-admission.ts";
import { type Refusal, refusals, refusalText } from "./web-refusal.ts";

export class WebSockets {
  readonly #deps: WebDeps;

  constructor(deps: WebDeps) {
    this.#deps = deps;
  }

  /** `admitted`: whose address it is, or why it is not opened. */
  open(admitted: Promise<Admitted | Refusal>, request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on("error", () => {}); // its close says as much
    this.#open(admitted, request, socket, head).catch((error: unknown) => {
      this.#deps.log.error({ err: error }, "a web socket could not be served");
      socket.destroy();
    });
  }

  async #open(
    admitted: Promise<Admitted | Refusal>,
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
  ): Promise<void> {
    const address = await admitted;
    if ("status" in address) return refuseSocket(socket, address);
    const exchange = await begin(this.#deps, address, request, "websocket");
    if ("status" in exchange) return refuseSocket(socket, exchange);
    const { web } = this.#deps;
    const leave = (closeCode?: number): void => web.close(exchange, "websocket", closeCode);
    const onGone = (): void => {
      socket.destroy();
      void web.abandon(exchange, "websocket");
    };
    socket.on("close", onGone).on("end", onGone).resume(); // or its end would not be seen
    if (socket.destroyed) return onGone();
    void exchange.say(encodeMessage({ case: "websocketConnect", value: {} }));
    await exchange.ready();
    const first = exchange.next();
    if (first?.case !== "websocketAccept") {
      if (!socket.destroyed) refuseSocket(socket, first?.case === "websocketClose" ? forbidden : ended(exchange));
      return leave();
    }
    socket.off("close", onGone).off("end", onGone);
    const opened = this.#accept(first.value, request, socket, head);
    if (opened === undefined) return leave();
    opened.on("close", leave);
    hear(opened, exchange);
    const connection = (socket as Socket).on("timeout", () => opened.terminate());
    const silenceMs = this.#deps.config.times.webBodySilence;
    // Only while a message is on its way to it: else a caller may be silent for ever.
    await speak(opened, exchange, (isTaking) => connection.setTimeout(isTaking ? silenceMs : 0));
  }

  /** Undefined when the caller's request is none for a web socket, which has been answered then. */
  #accept(
    { subprotocol, headers }: Asgi_WebsocketAccept,
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
  ): WebSocket | undefined {
    const server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      maxPayload: this.#deps.config.limits.webMessageBytes,
      perMessageDeflate: false,
      handleProtocols: () => subprotocol ?? false,
    });
    const own = towardsCaller(pairsOf(headers)).filter(([name]) => !/^sec-websocket-/i.test(name));
    server.on("headers", (lines: string[]) => {
      for (const [name, value] of own) if (!/[\r\n]/.test(name + value)) lines.push(`${name}: ${value}`);
    });
    let opened: WebSocket | undefined;
    server.handleUpgrade(request, socket, head, (made) => {
      opened = made;
    });
    opened?.on("error", () => {}); // what breaks the protocol closes it, and the close has the code
    return opened;
  }
}

/** As much as a frame that closes can say. */
const mostReasonBytes = 123;

const forbidden: Refusal = { status: 403, text: "The web function did not accept the web socket." };

function ended(exchange: Exchange): Refusal {
  return exchange.ended === "timeout" || exchange.ended === "unreachable"
    ? refusals[exchange.ended]
    : exchange.ended === "finished"
      ? refusals.silent
      : refusals.failed;
}

function refuseSocket(socket: Duplex, refusal: Refusal): void {
  socket.end(refusalText(refusal), () => socket.destroy());
}

/** The caller's messages; no more is read while the container does not take them. */
function hear(socket: WebSocket, exchange: Exchange): void {
  socket.on("message", (data: RawData, isBinary: boolean) => {
    const bytes = data as Buffer; // the kind that the library gives where nothing else is asked for
    const content = isBinary
      ? { case: "bytes" as const, value: new Uint8Array(bytes) }
      : { case: "text" as const, value: bytes.toString() };
    socket.pause();
    void exchange.say(encodeMessage({ case: "websocketReceive", value: { content } })).then(() => socket.resume());
  });
}

/** The application's messages, until one of the two ends it. */
async function speak(socket: WebSocket, exchange: Exchange, watch: (isTaking: boolean) => void): Promise<void> {
  for (;;) {
    await exchange.ready();
    const message = exchange.next();
    if (message?.case === "websocketSend") {
      watch(true);
      await send(socket, message.value);
      watch(false);
    } else if (message?.case === "websocketClose") return close(socket, message.value);
    else if (message === undefined) {
      if (exchange.ended !== undefined) socket.close(exchange.ended === "finished" ? 1000 : 1011);
      return;
    }
  }
}

async function send(socket: WebSocket, { content }: Asgi_WebsocketSend): Promise<void> {
  await new Promise<void>((resolve) => {
    socket.send(content.value ?? "", { binary: content.case === "bytes" }, () => resolve());
  });
}

function close(socket: WebSocket, { code = 1000, reason }: Asgi_WebsocketClose): void {
  const isSayable =
    (code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) || (code >= 3000 && code <= 4999);
  // What is cut in the middle of a character ends before it.
  const text = new TextDecoder().decode(Buffer.from(reason).subarray(0, mostReasonBytes), { stream: true });
  socket.close(isSayable ? code : 1011, text);
}
