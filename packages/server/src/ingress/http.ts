/** The HTTP/1.1 side of the port: routes from plugins, errors by the one table, no trace of what is inside. */
import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";

import type { Logger } from "@lydian/kit";
import {
  fastify,
  type FastifyError,
  type FastifyInstance,
  type FastifyPluginAsync,
  type FastifyReply,
  type FastifyRequest,
} from "fastify";

import type { WebFunctions } from "./web-functions.ts";
import { refusals, refusalText } from "./web-refusal.ts";
import { errorTable, toServerError } from "../errors.ts";

export interface WebOptions {
  logger: Logger;
  /** Registered in this order, each in a context of its own. */
  routes: readonly FastifyPluginAsync[];
  /** Takes the requests that are for web functions; absent: there are none. */
  functions?: Pick<WebFunctions, "take" | "takesUpgrade" | "upgrade">;
  /** From the first byte of a request to the end of its headers, in milliseconds. */
  headersTimeoutMs?: number;
}

export interface Web {
  /** For the port: not listening, connections are handed to it. */
  readonly server: Server;
  readonly app: FastifyInstance;
  close(): Promise<void>;
}

/** The largest body that is parsed into memory, in bytes; routes for more take the stream. */
const largestParsedBody = 1024 * 1024;

/** What is read of a body, or written of an answer, before the other end has taken it; larger pieces cost less each. In bytes. */
const bufferedBytes = 256 * 1024;

/** All header lines of a request together, in bytes. */
const largestHeaders = 64 * 1024;

const timeouts = {
  /** None for whole requests: an upload takes as long as it takes; its route watches that it moves. */
  requestTimeout: 0,
  /** Longer than the clients keep an idle connection, so that it is they who close it. */
  keepAliveTimeout: 75_000,
};

export async function createWeb(options: WebOptions): Promise<Web> {
  const headersTimeout = options.headersTimeoutMs ?? 10_000;
  const { functions } = options;
  const limits = {
    ...timeouts,
    headersTimeout,
    connectionsCheckingInterval: headersTimeout / 2,
    highWaterMark: bufferedBytes,
    maxHeaderSize: largestHeaders,
    shouldUpgradeCallback: (request: IncomingMessage) => functions?.takesUpgrade(request) ?? false,
  };
  const app = fastify({
    logger: false,
    bodyLimit: largestParsedBody,
    serverFactory: (handler) => {
      const server = createServer(limits, (request, response) => {
        if (functions?.take(request, response) !== true) handler(request, response);
      });
      server.on("checkContinue", (request: IncomingMessage, response: ServerResponse) => {
        if (functions?.take(request, response) === true) return;
        response.writeContinue();
        handler(request, response);
      });
      // No proxy to anywhere: without this the connection would be closed without a word.
      server.on("connect", (_request, socket) => socket.end(refusalText(refusals.noProxy), () => socket.destroy()));
      server.maxHeadersCount = 0; // what is over a number would be dropped unseen; their size has a limit
      server.on("upgrade", (request, socket, head) => functions?.upgrade(request, socket, head));
      return server;
    },
    clientErrorHandler: (error, socket) => refuse(error, socket),
    frameworkErrors: (error, request, reply) => answerError(options.logger, error, request, reply),
  });
  app.setErrorHandler<FastifyError>((error, request, reply) => answerError(options.logger, error, request, reply));
  app.setNotFoundHandler((request, reply) =>
    answer(request, reply, 404, "notFound", `There is nothing at ${pathOf(request)}.`),
  );
  for (const routes of options.routes) await app.register(routes);
  await app.ready();
  // The server watches the time that headers take only after this event, which a server that never listens lacks.
  app.server.emit("listening");
  return { server: app.server, app, close: () => app.close() };
}

/** What cannot be parsed as HTTP. */
function refuse(error: Error & { code?: string }, socket: Socket): void {
  const status = error.code === "HPE_HEADER_OVERFLOW" ? 431 : error.code === "ERR_HTTP_REQUEST_TIMEOUT" ? 408 : 400;
  if (socket.writable && error.code !== "ECONNRESET") {
    socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`, () =>
      socket.destroy(),
    );
  } else socket.destroy();
}

function answerError(
  logger: Logger,
  error: Error & { statusCode?: number; code?: string },
  request: FastifyRequest,
  reply: FastifyReply,
): unknown {
  if (request.raw.destroyed && !request.raw.complete) {
    logger.debug({ path: pathOf(request), reason: error.message }, "a request ended before its body did");
    request.raw.socket.destroy();
    return reply;
  }
  // The framework's own refusals (body too large, wrong content type, …) are written for the caller.
  const status = error.statusCode;
  if (error.code?.startsWith("FST_") === true && status !== undefined && status < 500) {
    return answer(request, reply, status, "invalidArgument", error.message);
  }
  const known = toServerError(error, logger, `${request.method} ${pathOf(request)}`);
  return answer(request, reply, errorTable[known.code].http, known.code, known.text);
}

/** Text for people and command lines, JSON for programs that ask for it. */
function answer(request: FastifyRequest, reply: FastifyReply, status: number, code: string, message: string): unknown {
  // A body that is still on its way would be taken for the next request's beginning.
  if (!request.raw.complete) void reply.header("connection", "close");
  void reply.code(status).header("cache-control", "no-store");
  if (request.headers.accept?.includes("application/json") === true) return reply.send({ error: { code, message } });
  return reply.type("text/plain; charset=utf-8").send(`${message}\n`);
}

/** Without the query, which may hold a signature. */
function pathOf(request: FastifyRequest): string {
  const [path = "/"] = (request.raw.url ?? "/").split("?", 1);
  return path;
}
