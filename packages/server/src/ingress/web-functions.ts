/**
 * Web functions over HTTP/1.1: finds whose a request is, brings it to its function and the answer back, and notices when
 * either end is gone.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";

import type { Exchange } from "../web/exchange.ts";
import { admit, begin, type WebDeps } from "./web-admission.ts";
import { writeAnswer } from "./web-answer.ts";
import { announcedLength, type BodyEnd, type BodyLimits, bringBody, sayWhole, smallBody } from "./web-body.ts";
import { refusals, refuse } from "./web-refusal.ts";
import { destinationOf } from "./web-request.ts";
import { WebReturns } from "./web-returns.ts";
import { WebSockets } from "./web-sockets.ts";

/** Of 16 bytes in base64; without one it is a request like any other. */
const handshakeKey = /^[+/0-9A-Za-z]{22}==$/;

/** The caller sends its body only when it is asked to, so that it may be told before why that is not wanted. */
const waitsForWord = ({ headers, httpVersion }: IncomingMessage): boolean =>
  httpVersion === "1.1" && headers.expect?.toLowerCase() === "100-continue";

export class WebFunctions {
  readonly #deps: WebDeps;
  readonly #returns: WebReturns;
  readonly #sockets: WebSockets;
  readonly #bodies: BodyLimits;

  constructor(deps: WebDeps) {
    this.#deps = deps;
    this.#returns = new WebReturns(deps.web, deps.clock, deps.config.times.webReturn);
    this.#sockets = new WebSockets(deps);
    this.#bodies = { mostBytes: deps.config.limits.webBodyBytes, silenceMs: deps.config.times.webBodySilence };
  }

  /** Whether this request was for a web function: then it is answered here. */
  take(request: IncomingMessage, response: ServerResponse): boolean {
    const destination = destinationOf(request, this.#deps.config);
    if (destination.kind === "platform") return false;
    request.on("error", () => {}); // who reads it sees that it ends
    if (destination.kind === "refused") refuse(request, response, destination.refusal);
    else {
      this.#answer(destination.host, request, response).catch((error: unknown) => {
        this.#deps.log.error({ err: error, host: destination.host }, "a web request could not be answered");
        refuse(request, response, refusals.failed);
        response.destroy();
      });
    }
    return true;
  }

  /** Whether this request, which asks to become something else, becomes a web socket of a function. */
  takesUpgrade(request: IncomingMessage): boolean {
    const { upgrade, "sec-websocket-key": key = "" } = request.headers;
    if (upgrade?.toLowerCase() !== "websocket" || request.method !== "GET" || !handshakeKey.test(key)) return false;
    return destinationOf(request, this.#deps.config).kind === "endpoint";
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const destination = destinationOf(request, this.#deps.config);
    const address = destination.kind === "endpoint" ? admit(this.#deps, destination.host, request) : undefined;
    if (address === undefined) socket.destroy();
    else this.#sockets.open(address, request, socket, head);
  }

  async #answer(host: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const address = await admit(this.#deps, host, request);
    if ("status" in address) return refuse(request, response, address);
    const returning = this.#returns.take(request.url ?? "", address.functionId);
    if (returning === "unknown") return refuse(request, response, refusals.unknownResult);
    if (returning !== undefined) return await this.#respond(request, response, returning, Promise.resolve("whole"));
    const { clock } = this.#deps;
    if ((announcedLength(request) ?? 0) > this.#bodies.mostBytes) return refuse(request, response, refusals.tooLarge);
    if (waitsForWord(request)) response.writeContinue();
    const small = await smallBody(request, clock, this.#bodies);
    if (typeof small === "string") return small === "gone" ? undefined : refuse(request, response, refusals[small]);
    const exchange = await begin(this.#deps, address, request, "http");
    if ("status" in exchange) return refuse(request, response, exchange);
    if (small !== undefined) sayWhole(exchange, small);
    const body: Promise<BodyEnd> =
      small === undefined ? bringBody(request, exchange, clock, this.#bodies) : Promise.resolve("whole");
    await this.#respond(request, response, exchange, body);
  }

  async #respond(
    request: IncomingMessage,
    response: ServerResponse,
    exchange: Exchange,
    body: Promise<BodyEnd>,
  ): Promise<void> {
    const { web, clock } = this.#deps;
    const at = clock.now();
    const leave = (): void => void web.abandon(exchange, "http");
    response.once("close", leave);
    response.once("close", () => this.#answered(request, response, exchange, at));
    if (response.destroyed) leave();
    void body.then((end) => {
      if (end === "whole") return;
      if (end !== "gone") refuse(request, response, refusals[end]);
      leave();
    });
    if ((await this.#begun(exchange, body)) === "late") {
      response.off("close", leave);
      response.writeHead(303, { location: this.#returns.keep(exchange, request.url ?? "/"), "content-length": 0 });
      response.end();
      return;
    }
    const end = exchange.over.signal.aborted ? "broken" : await writeAnswer(request, response, exchange, this.#bodies);
    response.off("close", leave);
    if (end === "answered") web.close(exchange, "http");
    else leave();
  }

  #answered(
    { url = "/" }: IncomingMessage,
    response: ServerResponse,
    { functionId, holder, isOfServer }: Exchange,
    at: number,
  ): void {
    if (!isOfServer) return;
    const { clock, hear } = this.#deps;
    const [route = "/"] = url.split("?", 1);
    const status = response.headersSent ? response.statusCode : 0;
    hear({
      kind: "requestAnswered",
      request: { functionId, at, route, containerId: holder ?? "", ms: clock.now() - at, status },
    });
  }

  /** Waits for the beginning of the answer; `late`: it has taken too long, and the whole request is there. */
  async #begun(exchange: Exchange, body: Promise<BodyEnd>): Promise<"begun" | "late"> {
    const { clock, config } = this.#deps;
    const late = Promise.withResolvers<"late">();
    using _timer = clock.timer(config.times.webAnswer, () => {
      void body.then((end) => {
        if (end === "whole") late.resolve("late");
      });
    });
    return await Promise.race([exchange.ready().then(() => "begun" as const), late.promise]);
  }
}
