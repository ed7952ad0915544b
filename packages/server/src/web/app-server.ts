/**
 * An HTTP server of the user's own in a container, as the other end of exchanges: requests are carried to its port, and what it
 * answers is said as a container of a client would say it. Connections to it are kept for a while, for those requests that may be
 * made twice: a server may close one at the very moment at which it is used again.
 */
import { Agent, type ClientRequest, type IncomingMessage, request as httpRequest } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";

import { isFail } from "../errors.ts";
import type { AsgiMessage, WebRequest } from "./asgi.ts";
import { decodeMessage } from "./asgi.ts";
import type { Ended, Exchange } from "./exchange.ts";
import { carrySocket } from "./app-socket.ts";
import { towardsServer, valuesOf } from "./headers.ts";

/** Most servers keep an idle connection for 5 s. */
const idleMs = 3_000;

/** An answer of up to so many bytes is said as a whole. */
const smallBytes = 64 * 1024;

/** They change nothing, so one whose connection turns out to be closed is made again. */
const safe: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

const nothing = new Uint8Array();

/** Opens a connection to the server; rejects with `unavailable` when nothing listens there. */
export type Connect = () => Promise<Socket>;

class ConnectingAgent extends Agent {
  readonly #connect: Connect;

  constructor(connect: Connect, keepAlive: boolean) {
    super({ keepAlive, timeout: idleMs, scheduling: "lifo" });
    this.#connect = connect;
  }

  override createConnection(
    _options: object,
    done?: (error: Error | null, stream: Duplex) => void,
  ): ReturnType<Agent["createConnection"]> {
    const failed = (error: Error): void =>
      done?.(isFail(error, "unavailable") ? new UnreachableError(error) : error, undefined as never);
    this.#connect().then((socket) => done?.(null, socket), failed);
    return undefined;
  }
}

class UnreachableError extends Error {
  constructor(cause: Error) {
    super(cause.message, { cause });
  }
}

type Words = AsyncGenerator<{ data: Uint8Array }>;

export class AppServer {
  readonly #keeping: Agent;
  readonly #closing: Agent;
  readonly connect: Connect;
  #isClosed = false;

  constructor(connect: Connect) {
    this.connect = connect;
    this.#keeping = new ConnectingAgent(connect, true);
    this.#closing = new ConnectingAgent(connect, false);
  }

  /** What is under way is broken off, and not tried again. */
  close(): void {
    this.#isClosed = true;
    this.#keeping.destroy();
    this.#closing.destroy();
  }

  /** Answers how it ended; what has been said until then is said. Never rejects. */
  async carry(exchange: Exchange, request: WebRequest): Promise<Ended> {
    if (request.kind === "websocket") return await carrySocket(exchange, request, this.connect);
    return await this.#carryHttp(exchange, request);
  }

  async #carryHttp(exchange: Exchange, request: WebRequest): Promise<Ended> {
    const { signal } = exchange.over;
    const words = exchange.listen(0, signal);
    try {
      const first = await words.next();
      if (first.done === true) return "failed";
      const word = decodeMessage(first.value.data);
      const isRepeatable = safe.has(request.method) && word.case === "httpRequest" && !word.value.moreBody;
      for (;;) {
        let sent: ClientRequest | undefined;
        try {
          sent = this.#request(request, isRepeatable);
          return await this.#attempt(exchange, sent, word, words);
        } catch (error) {
          if (error instanceof UnreachableError) return "unreachable";
          const isStale = isRepeatable && sent?.reusedSocket === true && !exchange.hasBegun;
          if (!isStale || this.#isClosed || signal.aborted) return "failed";
        }
      }
    } finally {
      void words.return(undefined); // not waited for: it may listen until the exchange is closed
    }
  }

  #request(request: WebRequest, isRepeatable: boolean): ClientRequest {
    const { method, target } = request;
    const headers = towardsServer(request);
    // A body without a length is a chunked one, whatever the method.
    if (valuesOf(request.headers, "transfer-encoding").length > 0) headers.push(["transfer-encoding", "chunked"]);
    const agent = isRepeatable ? this.#keeping : this.#closing;
    return httpRequest({ agent, method, path: target, headers: headers.flat(), setDefaultHeaders: false });
  }

  async #attempt(exchange: Exchange, sent: ClientRequest, first: AsgiMessage, words: Words): Promise<Ended> {
    const { signal } = exchange.over;
    const leave = (): void => void sent.destroy();
    signal.addEventListener("abort", leave, { once: true });
    try {
      const response = answerTo(sent);
      response.catch(() => {}); // awaited below
      const body = sendBody(sent, first, words);
      body.catch(leave);
      const answer = await response;
      await say(exchange, answer, () => signal.removeEventListener("abort", leave));
      if (!sent.writableFinished) leave(); // it has answered what it had not heard to its end
      return "finished";
    } finally {
      signal.removeEventListener("abort", leave);
    }
  }
}

function answerTo(sent: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    sent.on("response", resolve).on("error", reject);
    sent.on("upgrade", (_response, socket) => {
      socket.destroy();
      reject(new Error("it changed the protocol without being asked to"));
    });
  });
}

async function sendBody(sent: ClientRequest, first: AsgiMessage, words: Words): Promise<void> {
  for (let word = first; ;) {
    if (word.case !== "httpRequest") return void sent.destroy(); // its caller is gone
    const { body, moreBody } = word.value;
    if (!moreBody) return void sent.end(body.length > 0 ? body : undefined);
    if (body.length > 0 && !sent.write(body)) await drained(sent);
    const next = await words.next();
    if (next.done === true) return void sent.destroy();
    word = decodeMessage(next.value.data);
  }
}

/** `onWhole` is called when all is read. */
async function say(exchange: Exchange, answer: IncomingMessage, onWhole: () => void): Promise<void> {
  const { statusCode: status = 0, rawHeaders } = answer;
  const headers = rawHeaders.map((text) => Buffer.from(text, "latin1"));
  const start = { $typeName: "modal.client.Asgi.HttpResponseStart", status, headers, trailers: false } as const;
  const begin = (): Promise<void> => exchange.tell({ case: "httpResponseStart", value: start });
  const isSmall = Number(answer.headers["content-length"]) <= smallBytes;
  if (!isSmall) await begin();
  const pieces: Buffer[] = [];
  for await (const piece of answer as AsyncIterable<Buffer>) {
    if (isSmall) pieces.push(piece);
    else await exchange.tell(bodyOf(piece, true), piece.length);
  }
  onWhole();
  if (isSmall) void begin(); // both in one breath
  await exchange.tell(bodyOf(isSmall ? Buffer.concat(pieces) : nothing, false));
}

function bodyOf(body: Uint8Array, moreBody: boolean): AsgiMessage {
  return { case: "httpResponseBody", value: { $typeName: "modal.client.Asgi.HttpResponseBody", body, moreBody } };
}

async function drained(sent: ClientRequest): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = (): void => {
      sent.off("drain", done).off("close", done);
      resolve();
    };
    sent.on("drain", done).on("close", done);
    if (sent.destroyed) done();
  });
}
