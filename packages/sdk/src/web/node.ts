/** `lydian/node`: applications that are written for Node's own http server, such as Express's and Fastify's, as web functions. */
import http from "node:http";
import type { AddressInfo } from "node:net";

import { InvalidError } from "../errors.ts";
import type { FetchApplication, FetchHandler } from "./handler.ts";
import { proxyTo } from "./proxy.ts";

type RequestListener = (request: http.IncomingMessage, response: http.ServerResponse) => unknown;

/** Fastify's application, as far as it matters here. */
interface Listening {
  listen(options: { port: number; host: string }): Promise<unknown>;
  readonly server: http.Server;
}

/** `express()`, `koa.callback()`, any `(request, response) => …`; a Fastify application; a server that does not listen yet. */
export type NodeApplication = RequestListener | Listening | http.Server;

const host = "127.0.0.1";

/**
 * An application for Node's http server as a web function takes it: `app.webEndpoint(fromNode(express))`. It listens on a port
 * of its container's own from the first request on, web sockets included.
 */
export function fromNode(application: NodeApplication): FetchApplication {
  let started: Promise<FetchHandler> | undefined;
  return {
    fetch: async (request) => {
      started ??= listen(application).then(proxyTo);
      return await (
        await started
      )(request);
    },
  };
}

async function listen(application: NodeApplication): Promise<number> {
  if (typeof application === "object" && !(application instanceof http.Server)) {
    await application.listen({ port: 0, host });
    application.server.unref();
    return portOf(application.server);
  }
  const server = application instanceof http.Server ? application : http.createServer(application);
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, host, resolve));
  server.unref(); // it keeps no process alive
  return portOf(server);
}

function portOf(server: http.Server): number {
  const address: AddressInfo | string | null = server.address();
  if (address !== null && typeof address === "object") return address.port;
  throw new InvalidError("the application does not listen on a port");
}
