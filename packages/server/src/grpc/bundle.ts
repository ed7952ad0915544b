/** Calls that come bundled, many on one stream: each becomes a call as if it had a stream of its own. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { bundle as wire } from "@lydian/contract";

import { fail } from "../errors.ts";
import type { GrpcCall } from "./call.ts";
import { type Status, trailersOf } from "./headers.ts";

/** What whoever answers calls sees of one. */
export type AnyCall<Peer> = Pick<GrpcCall<Peer>, keyof GrpcCall<Peer>>;

type Carrier<Peer> = Pick<GrpcCall<Peer>, "peer" | "header" | "isGone" | "onGone" | "messages" | "send" | "drained">;

/** The path of the stream that carries others. */
export const carryPath = `/${wire.Bundles.typeName}/${wire.Bundles.method.carry.name}`;

/** Not answered yet, of one bundle: beyond that nothing is read. */
const mostOpen = 2_000;
/** Answers go together up to about so many bytes. */
const mostTogether = 1024 * 1024;

/** Resolves when the client has said its last, and all is answered. Throws for what is not well-formed. */
export async function carryBundle<Peer>(carrier: Carrier<Peer>, answer: (call: AnyCall<Peer>) => void): Promise<void> {
  const bundle = new Bundle(carrier, answer);
  carrier.onGone = () => bundle.leave();
  if (carrier.isGone) bundle.leave();
  for await (const message of carrier.messages()) {
    bundle.take(read(message));
    await bundle.atMost(mostOpen);
  }
  await bundle.atMost(0);
}

function read(message: Uint8Array): wire.CarryRequest {
  try {
    return fromBinary(wire.CarryRequestSchema, message);
  } catch (cause) {
    throw fail("invalidArgument", "The request of Carry is no bundle.", { cause });
  }
}

class Bundle<Peer> {
  readonly #carrier: Carrier<Peer>;
  readonly #answer: (call: AnyCall<Peer>) => void;
  readonly #open = new Map<number, BundledCall<Peer>>();
  #answers: wire.BundledAnswer[] = [];
  #sending: Promise<void> | undefined;
  #fewer = Promise.withResolvers<void>();

  constructor(carrier: Carrier<Peer>, answer: (call: AnyCall<Peer>) => void) {
    this.#carrier = carrier;
    this.#answer = answer;
  }

  take({ calls, givenUp }: wire.CarryRequest): void {
    for (const asked of calls) {
      const { number } = asked;
      if (this.#open.has(number)) throw fail("invalidArgument", `The bundle has two calls of the number ${number}.`);
      const call = new BundledCall(asked, this.#carrier, (status, reply) => this.#give(number, status, reply));
      this.#open.set(number, call);
      this.#answer(call);
    }
    for (const number of givenUp) {
      this.#open.get(number)?.leave();
      this.#close(number);
    }
  }

  /** Resolves when no more calls than these are open, and what was answered is on its way. */
  async atMost(count: number): Promise<void> {
    while (this.#open.size > count) await this.#fewer.promise;
    if (count === 0) await this.#sending;
  }

  /** Nobody waits for any answer. */
  leave(): void {
    for (const [number, call] of this.#open) {
      call.leave();
      this.#close(number);
    }
  }

  #close(number: number): void {
    if (!this.#open.delete(number)) return;
    this.#fewer.resolve();
    this.#fewer = Promise.withResolvers();
  }

  #give(number: number, status: Status, reply: Uint8Array | undefined): void {
    if (!this.#open.has(number)) return;
    const trailers = status.code === 0 && status.metadata.size === 0 ? {} : textsOf(status);
    const given = { number, trailers, ...(reply !== undefined && status.code === 0 && { reply }) };
    this.#answers.push(create(wire.BundledAnswerSchema, given));
    this.#sending ??= this.#send();
    this.#close(number);
  }

  /** What is answered in one turn goes together. */
  async #send(): Promise<void> {
    while (this.#answers.length > 0) {
      await new Promise((resolve) => setImmediate(resolve));
      let bytes = 0;
      const end = this.#answers.findIndex(({ reply }) => (bytes += reply.byteLength) > mostTogether);
      const answers = this.#answers.splice(0, end === -1 ? this.#answers.length : end + 1);
      const message = toBinary(wire.CarryResponseSchema, create(wire.CarryResponseSchema, { answers }));
      if (!this.#carrier.send(message) && !this.#carrier.isGone) await this.#carrier.drained();
    }
    this.#sending = undefined;
  }
}

function textsOf(status: Status): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const [name, value] of Object.entries(trailersOf(status)))
    texts[name] = Array.isArray(value) ? value.join(", ") : String(value);
  return texts;
}

class BundledCall<Peer> implements AnyCall<Peer> {
  readonly path: string;
  readonly deadlineMs: number;
  onGone: () => void = () => {};
  readonly #carrier: Pick<Carrier<Peer>, "peer" | "header">;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #request: Uint8Array;
  readonly #give: (status: Status, reply?: Uint8Array) => void;
  #state: "open" | "gone" | "ended" = "open";

  constructor(
    { path, headers, request, timeoutMs }: wire.BundledCall,
    carrier: Pick<Carrier<Peer>, "peer" | "header">,
    give: (status: Status, reply?: Uint8Array) => void,
  ) {
    this.path = path;
    this.deadlineMs = timeoutMs > 0 ? Date.now() + timeoutMs : Number.POSITIVE_INFINITY;
    this.#carrier = carrier;
    this.#headers = headers;
    this.#request = request;
    this.#give = give;
  }

  get peer(): Peer | undefined {
    return this.#carrier.peer;
  }

  get isGone(): boolean {
    return this.#state === "gone";
  }

  header(name: string): string | undefined {
    return Object.hasOwn(this.#headers, name) ? this.#headers[name] : this.#carrier.header(name);
  }

  async message(): Promise<Buffer> {
    const { buffer, byteOffset, byteLength } = this.#request;
    return Buffer.from(buffer, byteOffset, byteLength);
  }

  async *messages(): AsyncGenerator<Buffer> {
    yield await this.message();
  }

  /** Only those that have one answer can be bundled. */
  send(): boolean {
    throw fail("unimplemented", `${this.path} answers with a stream, and cannot be bundled.`);
  }

  drained(): Promise<void> {
    return Promise.resolve();
  }

  end(status: Status, message?: Uint8Array): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#give(status, message);
  }

  leave(): void {
    if (this.#state !== "open") return;
    this.#state = "gone";
    this.onGone();
  }
}
