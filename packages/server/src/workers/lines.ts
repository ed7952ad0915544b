/** Streams that a worker opens when it is asked to: for what is long, or has to go at the pace of whoever reads it. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { exec } from "@lydian/contract";
import type { Clock } from "@lydian/kit";

import { fail } from "../errors.ts";
import { Questions } from "./questions.ts";

export type ToWorker = MessageInitShape<typeof exec.ToWorkerSchema>;
type Message = Exclude<ToWorker["message"], undefined>;

/** A worker that is there opens one within milliseconds. */
const openMs = 10_000;

const broken = (): Error => fail("unavailable", "The container's worker went away. Ask again.");

/** One stream: what is asked goes out, what is answered comes in. */
export class Line {
  readonly #incoming: AsyncIterator<exec.FromWorker>;
  readonly #outgoing: { message: Message; sent: PromiseWithResolvers<void> }[] = [];
  #wake: (() => void) | undefined;
  #isClosed = false;

  constructor(incoming: AsyncIterator<exec.FromWorker>) {
    this.#incoming = incoming;
  }

  /** Resolves when more may be sent. */
  async send(message: Message): Promise<void> {
    if (this.#isClosed) throw broken();
    const sent = Promise.withResolvers<void>();
    this.#outgoing.push({ message, sent });
    this.#wake?.();
    await sent.promise;
  }

  /** The next message; a failure of the worker's is thrown. */
  async next(): Promise<exec.FromWorker["message"]> {
    const step = await this.#incoming.next().catch(() => undefined);
    if (step === undefined || step.done === true) throw broken();
    const { message } = step.value;
    if (message.case === "failed") throw failureOf(message.value);
    return message;
  }

  /** What is asked, for the stream that carries it. */
  async *messages(): AsyncGenerator<ToWorker, void, undefined> {
    try {
      while (!this.#isClosed) {
        const next = this.#outgoing.shift();
        if (next === undefined) await new Promise<void>((resolve) => (this.#wake = resolve));
        else {
          yield { message: next.message };
          next.sent.resolve();
        }
      }
    } finally {
      this.close();
    }
  }

  /** The worker is told that nobody waits any more. */
  close(): void {
    this.#isClosed = true;
    this.#wake?.();
    for (const { sent } of this.#outgoing.splice(0)) sent.reject(broken());
  }
}

export class WorkerLines {
  readonly #asked: Questions<Line>;

  constructor(clock: Clock) {
    this.#asked = new Questions(clock, { answerMs: openMs, silent: broken });
  }

  /** `tell` brings the id to the worker. */
  async open(workerId: string, tell: (id: string) => boolean): Promise<Line> {
    return await this.#asked.ask(workerId, (id) => {
      if (!tell(id)) this.#asked.left(workerId);
    });
  }

  left(workerId: string): void {
    this.#asked.left(workerId);
  }

  /** The worker's side of a line, from its Hello to its end. */
  async *serve(messages: AsyncIterable<exec.FromWorker>): AsyncGenerator<ToWorker, void, undefined> {
    const incoming = messages[Symbol.asyncIterator]();
    const first = await incoming.next();
    const hello = first.done === true ? undefined : first.value.message;
    if (hello?.case !== "hello") throw fail("invalidArgument", "A line begins with Hello.");
    const line = new Line(incoming);
    if (this.#asked.answered(hello.value.id, line)) yield* line.messages();
  }
}

/** By the protocol's numbers: Failed.Kind. */
const kinds: Readonly<Record<number, "notFound" | "failedPrecondition" | "invalidArgument">> = {
  1: "notFound",
  2: "failedPrecondition",
  3: "invalidArgument",
};

function failureOf({ kind, message }: exec.Failed): Error {
  const [first = "", ...rest] = message;
  return fail(kinds[kind] ?? "failedPrecondition", `${first.toUpperCase()}${rest.join("")}.`);
}
