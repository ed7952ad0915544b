/** A port on the loopback interface with a gRPC and an HTTP side, and clients for it. */
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import {
  create,
  type DescMethod,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";
import { silentLogger } from "@lydian/kit";
import type { FastifyPluginAsync } from "fastify";

import { createWeb, type WebOptions } from "../../src/ingress/http.ts";
import { type ListenAt, Port, type PortOptions } from "../../src/ingress/port.ts";
import { type BoundRpc, createRpcServer, type RpcServerOptions } from "../../src/rpc/adapter.ts";

export const testToken = { id: "ak-test", secret: "as-test" };

export interface Rig extends AsyncDisposable {
  port: Port;
  url: string;
}

export async function startRig(
  parts: {
    rpcs?: readonly BoundRpc[];
    routes?: readonly FastifyPluginAsync[];
    port?: Partial<PortOptions>;
    rpc?: Partial<RpcServerOptions>;
    web?: Partial<WebOptions>;
    at?: ListenAt;
  } = {},
): Promise<Rig> {
  const rpc = createRpcServer({
    rpcs: parts.rpcs ?? [],
    authenticate: (id, secret) => id === testToken.id && secret === testToken.secret,
    openTask: () => undefined,
    logger: silentLogger,
    ...parts.rpc,
  });
  const web = await createWeb({ logger: silentLogger, routes: parts.routes ?? [], ...parts.web });
  const port = new Port({ rpc, web: web.server, resolveDoor: () => undefined, logger: silentLogger, ...parts.port });
  await port.listen(parts.at ?? { host: "127.0.0.1", port: 0 });
  return {
    port,
    url: `http://127.0.0.1:${port.number}`,
    async [Symbol.asyncDispose]() {
      await port.close(50);
      await web.close();
    },
  };
}

/** A folder that removes itself. */
export async function temporaryFolder(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), "lydian-test-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** A connection that has already said `first`; nobody needs to listen to its errors. */
export async function rawConnection(port: number, first: string | Buffer = ""): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  await once(socket, "connect");
  if (first.length > 0) socket.write(first);
  return socket;
}

/** Everything that comes until the other side closes. */
export async function readAll(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  // Not events.once: a reset is an end like any other here.
  if (!socket.destroyed) await new Promise((resolve) => socket.once("close", resolve));
  return Buffer.concat(chunks).toString("latin1");
}

/** A relay that joins each connection to the port after a door's line, as a worker does. */
export async function startDoor(port: number, secret: string): Promise<AsyncDisposable & { port: number }> {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (inside) => {
    const out = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    const cut = (): void => void (inside.destroy(), out.destroy());
    for (const socket of [inside, out]) open.add(socket.on("error", cut).on("close", cut));
    out.write(`LYDIAN/1 ${secret}\n`);
    inside.pipe(out);
    out.pipe(inside);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as { port: number }).port,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      server.close();
    },
  };
}

export interface RpcClient extends Disposable {
  unary<M extends DescMethod>(
    method: M,
    request: MessageInitShape<M["input"]>,
    headers?: Record<string, string>,
  ): Promise<Reply<M>>;
  stream<M extends DescMethod>(
    method: M,
    request: MessageInitShape<M["input"]>,
    headers?: Record<string, string>,
  ): grpc.ClientReadableStream<MessageShape<M["output"]>>;
  bidi<M extends DescMethod>(
    method: M,
    headers?: Record<string, string>,
  ): grpc.ClientDuplexStream<MessageInitShape<M["input"]>, MessageShape<M["output"]>>;
  raw: grpc.Client;
}

export interface Reply<M extends DescMethod> {
  message: MessageShape<M["output"]>;
  trailers: grpc.Metadata;
}

export const tokenHeaders = { "x-modal-token-id": testToken.id, "x-modal-token-secret": testToken.secret };

export function rpcClient(
  address: string,
  credentials = grpc.credentials.createInsecure(),
  options: grpc.ClientOptions = {},
): RpcClient {
  const raw = new grpc.Client(address, credentials, { "grpc.use_local_subchannel_pool": 1, ...options });
  const metadataOf = (headers: Record<string, string>): grpc.Metadata => {
    const metadata = new grpc.Metadata();
    for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
    return metadata;
  };
  const path = (method: DescMethod): string => `/${method.parent.typeName}/${method.name}`;
  const write = (method: DescMethod) => (message: unknown) =>
    Buffer.from(toBinary(method.input, create(method.input, message as never)));
  const read = (method: DescMethod) => (bytes: Buffer) => fromBinary(method.output, bytes) as never;
  return {
    raw,
    unary: (method, request, headers = tokenHeaders) =>
      new Promise((resolve, reject) => {
        let message: never;
        const call = raw.makeUnaryRequest(
          path(method),
          write(method),
          read(method),
          request,
          metadataOf(headers),
          (error, reply) => {
            if (error !== null) reject(error);
            else message = reply as never;
          },
        );
        call.on("status", ({ code, metadata }) => code === grpc.status.OK && resolve({ message, trailers: metadata }));
      }),
    stream: (method, request, headers = tokenHeaders) =>
      raw.makeServerStreamRequest(path(method), write(method), read(method), request, metadataOf(headers)) as never,
    bidi: (method, headers = {}) =>
      raw.makeBidiStreamRequest(path(method), write(method), read(method), metadataOf(headers)) as never,
    [Symbol.dispose]: () => raw.close(),
  };
}

/** As `rawConnection`, to another address of this machine. */
export async function connectFrom(host: string, port: number, first: string): Promise<Socket> {
  const socket = connect(port, host);
  socket.on("error", () => {});
  await once(socket, "connect");
  socket.write(first);
  return socket;
}
