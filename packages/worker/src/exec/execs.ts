/** What the server asks about commands and terminals in containers, each on a stream of its own that the worker opens. */
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { Client, type ClientDuplexStream, credentials } from "@grpc/grpc-js";
import * as wire from "@lydian/contract/exec";
import { type Clock, type Logger, messageOf, PlatformError } from "@lydian/kit";

import type { Runtime } from "../runtime/runtime.ts";
import type { WriteFrom } from "./command.ts";
import { type Commands, UnknownCommandError } from "./commands.ts";

type Answer = Exclude<MessageInitShape<typeof wire.FromWorkerSchema>["message"], undefined>;
type Stream = ClientDuplexStream<wire.FromWorker, wire.ToWorker>;

const methodPath = `/${wire.Execs.typeName}/${wire.Execs.method.serve.name}`;

/** The longest that a wait is held, whatever was asked for. */
const longestHoldMs = 60_000;

export interface ExecsDeps {
  doorFile: string;
  runtime: Runtime;
  commands: Commands;
  clock: Clock;
  logger: Logger;
}

export class Execs {
  readonly #deps: ExecsDeps;
  /** The last message of each terminal that was typed. */
  readonly #typed = new Map<string, { index: number; turn: Promise<void> }>();
  #client: Client | undefined;

  constructor(deps: ExecsDeps) {
    this.#deps = deps;
  }

  /** Never rejects. */
  async serve({ id }: wire.Wanted): Promise<void> {
    const line = new Line(this.#open());
    try {
      await line.send({ case: "hello", value: { id } });
      const asked = await line.next();
      if (asked !== undefined) await this.#answer(asked, line);
    } catch (error) {
      if (!line.signal.aborted) await line.send({ case: "failed", value: this.#failure(error) });
    } finally {
      line.end();
    }
  }

  close(): void {
    this.#client?.close();
  }

  async #answer({ message }: wire.ToWorker, line: Line): Promise<void> {
    const { commands } = this.#deps;
    switch (message.case) {
      case "start":
        await commands.start(message.value);
        return await line.send({ case: "done", value: {} });
      case "read": {
        const { containerId, execId, stderr, offset } = message.value;
        const command = await commands.get(containerId, execId);
        for await (const data of command.read(stderr ? "stderr" : "stdout", Number(offset), line.signal)) {
          await line.send({ case: "data", value: data });
        }
        return await line.send({ case: "done", value: {} });
      }
      case "write": {
        const { containerId, execId, offset, index } = message.value;
        const command = await commands.get(containerId, execId);
        await command.write(fromOf(offset, index), line.data(), () => line.isEof);
        const { bytes, closed } = command.written;
        return await line.send({ case: "written", value: { bytes: BigInt(bytes), closed } });
      }
      case "wait": {
        const { containerId, execId, holdMs } = message.value;
        const command = await commands.get(containerId, execId);
        const code = await command.wait(Math.min(Number(holdMs), longestHoldMs), line.signal);
        const answer: Answer = code === undefined ? { case: "done", value: {} } : { case: "ended", value: { code } };
        return await line.send(answer);
      }
      case "type":
        await this.#type(message.value, line);
        return await line.send({ case: "done", value: {} });
      case "data":
      case "end":
      case undefined:
        throw new PlatformError("the worker does not know what the server asks for", {
          hint: "update the worker to the server's version",
        });
    }
  }

  /** One message after the other, and none twice. */
  async #type({ containerId, fence, index }: wire.Type, line: Line): Promise<void> {
    const { commands, runtime } = this.#deps;
    const { place, gone } = commands.host(containerId, fence);
    const parts: Uint8Array[] = [];
    for await (const part of line.data()) parts.push(part);
    const before = this.#typed.get(containerId);
    if (before === undefined) gone.addEventListener("abort", () => this.#typed.delete(containerId), { once: true });
    if (before !== undefined && Number(index) <= before.index) return await before.turn;
    const data = Buffer.concat(parts);
    const type = async (): Promise<void> => {
      await before?.turn.catch(() => {}); // told to whoever typed it
      if (data.length > 0) await runtime.type?.(place, data);
    };
    const turn = type();
    this.#typed.set(containerId, { index: Number(index), turn });
    await turn;
  }

  #failure(error: unknown): MessageInitShape<typeof wire.FailedSchema> {
    const { NOT_FOUND, REFUSED } = wire.Failed_Kind;
    if (!(error instanceof PlatformError)) this.#deps.logger.error({ err: error }, "a command could not be followed");
    const hint = error instanceof PlatformError && error.hint !== undefined ? `; ${error.hint}` : "";
    const kind = error instanceof UnknownCommandError ? NOT_FOUND : REFUSED;
    return { kind, message: `${messageOf(error)}${hint}` };
  }

  #open(): Stream {
    this.#client ??= new Client(`unix:${this.#deps.doorFile}`, credentials.createInsecure(), {
      "grpc.use_local_subchannel_pool": 1, // bytes of commands do not wait for the session's, nor it for them
      "grpc.max_receive_message_length": -1,
    });
    return this.#client.makeBidiStreamRequest(
      methodPath,
      (message: wire.FromWorker) => Buffer.from(toBinary(wire.FromWorkerSchema, message)),
      (bytes: Buffer) => fromBinary(wire.ToWorkerSchema, bytes),
    );
  }
}

const fromOf = (offset: bigint | undefined, index: bigint | undefined): WriteFrom =>
  offset === undefined ? (index === undefined ? undefined : { index: Number(index) }) : { offset: Number(offset) };

/** One stream: messages in turn, each way at the pace of the other side. */
class Line {
  readonly #stream: Stream;
  readonly #messages: AsyncIterator<wire.ToWorker>;
  readonly #gone = new AbortController();
  /** The data have ended, and nothing follows for the command. */
  isEof = false;

  constructor(stream: Stream) {
    this.#stream = stream;
    this.#messages = stream[Symbol.asyncIterator]() as AsyncIterator<wire.ToWorker>;
    const gone = (): void => this.#gone.abort(new PlatformError("nobody waits for the answer any more"));
    stream.on("error", gone);
    stream.on("close", gone);
    stream.on("status", gone);
  }

  /** Aborts when nobody waits for the answer any more. */
  get signal(): AbortSignal {
    return this.#gone.signal;
  }

  async next(): Promise<wire.ToWorker | undefined> {
    const step = await this.#messages.next();
    return step.done === true ? undefined : step.value;
  }

  /** What follows a Write, or a Type. */
  async *data(): AsyncGenerator<Uint8Array, void, undefined> {
    for (let next = await this.next(); ; next = await this.next()) {
      if (next?.message.case === "data") yield next.message.value;
      else if (next?.message.case === "end") return void (this.isEof = next.message.value.eof);
      else throw new PlatformError("the server's data broke off");
    }
  }

  async send(message: Answer): Promise<void> {
    if (this.#gone.signal.aborted) return;
    if (this.#stream.write(create(wire.FromWorkerSchema, { message }))) return;
    await new Promise<void>((resolve) => {
      this.#stream.once("drain", resolve);
      this.#gone.signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }

  end(): void {
    this.#stream.end();
  }
}
