/** One session with the server: a gRPC stream in each direction, from Join to its end, however it ends. */
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { Client, type ClientDuplexStream, credentials } from "@grpc/grpc-js";
import * as wire from "@lydian/contract/worker";
import { type Clock, PlatformError } from "@lydian/kit";

type FromWorkerMessage = Exclude<MessageInitShape<typeof wire.FromWorkerSchema>["message"], undefined>;

/** A server that accepts a connection and does not answer for so long is taken for gone. */
const welcomeMs = 10_000;

const methodPath = `/${wire.Workers.typeName}/${wire.Workers.method.session.name}`;

export class Session {
  readonly welcome: Promise<wire.Welcome>;
  readonly #client: Client;
  readonly #stream: ClientDuplexStream<wire.FromWorker, wire.ToWorker>;
  readonly #ended = new AbortController();
  /** While the stream takes no more. */
  #full: PromiseWithResolvers<void> | undefined;

  /** Opens a session through the door; `onMessage` gets all that follows the Welcome. */
  constructor(options: {
    doorFile: string;
    join: wire.Join;
    clock: Clock;
    onMessage: (message: wire.ToWorker) => void;
  }) {
    this.#client = new Client(`unix:${options.doorFile}`, credentials.createInsecure(), {
      // A session is one connection: the agent, not the channel, decides when to try again.
      "grpc.use_local_subchannel_pool": 1,
      "grpc.keepalive_time_ms": 10_000,
      "grpc.keepalive_timeout_ms": 5_000,
      "grpc.max_receive_message_length": -1,
    });
    this.#stream = this.#client.makeBidiStreamRequest(
      methodPath,
      (message: wire.FromWorker) => Buffer.from(toBinary(wire.FromWorkerSchema, message)),
      (bytes: Buffer) => fromBinary(wire.ToWorkerSchema, bytes),
    );
    const welcome = Promise.withResolvers<wire.Welcome>();
    this.welcome = welcome.promise;
    const patience = options.clock.timer(welcomeMs, () => this.#end(new PlatformError("the server does not answer")));
    this.#ended.signal.addEventListener("abort", () => {
      patience[Symbol.dispose]();
      welcome.reject(this.#ended.signal.reason as Error);
    });
    this.#stream.on("data", (message: wire.ToWorker) => {
      if (message.message.case !== "welcome") return options.onMessage(message);
      patience[Symbol.dispose]();
      welcome.resolve(message.message.value);
    });
    this.#stream.on("drain", () => this.#drained());
    this.#stream.on("error", (error) => this.#end(error));
    this.#stream.on("end", () => this.#end(new PlatformError("the server ended the session")));
    this.#stream.write(create(wire.FromWorkerSchema, { message: { case: "join", value: options.join } }));
  }

  /** Aborts when the session has ended, with the reason. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  /** Sends in order; resolves when more may be sent, or the session has ended: what was not sent is sent in the next. */
  async send(message: FromWorkerMessage): Promise<void> {
    if (this.#ended.signal.aborted) return;
    if (!this.#stream.write(create(wire.FromWorkerSchema, { message }))) this.#full ??= Promise.withResolvers();
    await this.#full?.promise;
  }

  /** Ends the session; what was sent before still arrives when the server is there. */
  async close(): Promise<void> {
    if (this.#ended.signal.aborted) return;
    this.#stream.end();
    await new Promise<void>((resolve) => this.#ended.signal.addEventListener("abort", () => resolve()));
  }

  /** Ends the session at once. */
  drop(): void {
    this.#end(new PlatformError("the worker ends"));
  }

  #drained(): void {
    this.#full?.resolve();
    this.#full = undefined;
  }

  #end(reason: Error): void {
    if (this.#ended.signal.aborted) return;
    this.#ended.abort(reason);
    this.#drained();
    this.#stream.cancel();
    this.#client.close();
  }
}
