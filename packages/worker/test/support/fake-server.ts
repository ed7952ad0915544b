/** The server's side of the worker's protocol, for tests: one port, doors by their first line, everything recorded. */
import { createHash } from "node:crypto";
import http from "node:http";
import net from "node:net";

import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { Server as GrpcServer, ServerCredentials, type ServerDuplexStream } from "@grpc/grpc-js";
import * as wire from "@lydian/contract/worker";

type Sent = MessageInitShape<typeof wire.ToWorkerSchema>["message"];
type Stream = ServerDuplexStream<wire.FromWorker, wire.ToWorker>;

export const workerSecret = "worker-secret-of-32-characters-or-more";

export class FakeServer {
  /** What workers sent, in order, over all sessions. */
  readonly received: wire.FromWorker[] = [];
  readonly content = new Map<string, Buffer>();
  /** Content that never comes. */
  readonly slow = new Set<string>();
  /** First lines of connections that are not the worker's, each with what followed it. */
  readonly doors: { secret: string; socket: net.Socket }[] = [];
  readonly sockets = new Set<net.Socket>();
  readonly #changes = new Set<() => void>();
  readonly #grpc = new GrpcServer();
  readonly #web = http.createServer((request, response) => {
    const sha256 = request.url?.replace("/content/", "") ?? "";
    if (this.slow.has(sha256)) return this.#changed();
    const bytes = this.content.get(sha256);
    response.writeHead(bytes === undefined ? 404 : 200).end(bytes);
  });
  readonly #port: net.Server;
  #stream: Stream | undefined;
  requests = 0;

  private constructor() {
    this.#grpc.addService(
      {
        session: {
          path: `/${wire.Workers.typeName}/${wire.Workers.method.session.name}`,
          requestStream: true,
          responseStream: true,
          requestSerialize: (message: wire.FromWorker) => Buffer.from(toBinary(wire.FromWorkerSchema, message)),
          requestDeserialize: (bytes: Buffer) => fromBinary(wire.FromWorkerSchema, bytes),
          responseSerialize: (message: wire.ToWorker) => Buffer.from(toBinary(wire.ToWorkerSchema, message)),
          responseDeserialize: (bytes: Buffer) => fromBinary(wire.ToWorkerSchema, bytes),
        },
      },
      { session: (stream: Stream) => this.#serve(stream) },
    );
    this.#web.on("request", () => this.requests++);
    const injector = this.#grpc.createConnectionInjector(ServerCredentials.createInsecure());
    this.#port = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      this.sockets.add(socket);
      socket.on("error", () => socket.destroy());
      socket.once("close", () => this.sockets.delete(socket));
      const onReadable = (): void => {
        const head = socket.read() as Buffer | null;
        if (head === null) return;
        const end = head.indexOf("\n");
        if (end === -1) return socket.unshift(head);
        socket.off("readable", onReadable);
        const secret = head.toString("utf8", "LYDIAN/1 ".length, end);
        socket.unshift(head.subarray(end + 1));
        if (secret !== workerSecret) {
          this.doors.push({ secret, socket });
          return this.#changed();
        }
        socket.once("readable", () => {
          const next = socket.read() as Buffer | null;
          if (next === null) return;
          socket.unshift(next);
          if (next.toString("latin1", 0, 3) === "PRI") injector.injectConnection(socket);
          else this.#web.emit("connection", socket);
        });
      };
      socket.on("readable", onReadable);
    });
  }

  static async start(port = 0): Promise<FakeServer> {
    const server = new FakeServer();
    await new Promise<void>((resolve) => server.#port.listen(port, "127.0.0.1", resolve));
    return server;
  }

  get address(): { host: string; port: number } {
    return { host: "127.0.0.1", port: (this.#port.address() as net.AddressInfo).port };
  }

  addContent(bytes: Uint8Array): string {
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    this.content.set(sha256, Buffer.from(bytes));
    return sha256;
  }

  /** A mount of these files, by path in the container. */
  addMount(files: Record<string, string>): MessageInitShape<typeof wire.MountSchema> {
    const manifest = create(wire.ManifestSchema, {
      files: Object.entries(files).map(([path, text]) => ({
        path,
        sha256: this.addContent(Buffer.from(text)),
        size: BigInt(Buffer.byteLength(text)),
      })),
    });
    return { manifestSha256: this.addContent(toBinary(wire.ManifestSchema, manifest)) };
  }

  send(message: Sent): void {
    this.#stream?.write(create(wire.ToWorkerSchema, message === undefined ? {} : { message }));
  }

  /** Waits until `find` answers something, looking again whenever anything arrives. */
  async until<T>(find: () => T | undefined): Promise<T> {
    for (;;) {
      const found = find();
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => this.#changes.add(resolve));
    }
  }

  joins(): wire.Join[] {
    return this.received.flatMap(({ message }) => (message.case === "join" ? [message.value] : []));
  }

  states(containerId: string): wire.ContainerState[] {
    return this.received.flatMap(({ message }) =>
      message.case === "containerState" && message.value.containerId === containerId ? [message.value] : [],
    );
  }

  logs(containerId: string): wire.Logs[] {
    return this.received.flatMap(({ message }) =>
      message.case === "logs" && message.value.containerId === containerId ? [message.value] : [],
    );
  }

  /** The log as a server would keep it: pieces that it has already are dropped. */
  text(containerId: string, stream?: wire.Logs_Stream): string {
    let end = 0n;
    let text = "";
    for (const piece of this.logs(containerId)) {
      if (piece.endOffset <= end) continue;
      end = piece.endOffset;
      for (const line of piece.lines) {
        if (stream === undefined || line.stream === stream) text += Buffer.from(line.data).toString();
      }
    }
    return text;
  }

  gone(containerId: string): Promise<wire.ContainerState> {
    return this.until(() =>
      this.states(containerId).findLast((state) => state.phase === wire.ContainerState_Phase.GONE),
    );
  }

  /** Cuts every connection, as a server that is killed does. */
  cut(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.#grpc.forceShutdown();
    this.cut();
    await new Promise((resolve) => this.#port.close(resolve));
  }

  #serve(stream: Stream): void {
    this.#stream = stream;
    stream.on("error", () => {});
    stream.on("end", () => stream.end());
    stream.on("data", (message: wire.FromWorker) => {
      this.received.push(message);
      if (message.message.case === "join") {
        this.send({ case: "welcome", value: create(wire.WelcomeSchema, { leaseSeconds: 10n }) });
      }
      this.#changed();
    });
  }

  #changed(): void {
    const waiting = [...this.#changes];
    this.#changes.clear();
    for (const wake of waiting) wake();
  }
}
