/** A container's life: takes inputs while it has room, runs them, answers, and ends when it is told to. */
import {
  type CancelInputEvent,
  type FunctionGetInputsItem,
  type FunctionPutOutputsItemSchema,
  ModalClient,
} from "@lydian/contract";
import type { MessageInitShape } from "@bufbuild/protobuf";

import { Client } from "../client/client.ts";
import type { AheadInput } from "./ahead-states.ts";
import { Ahead } from "./ahead.ts";
import { type Code, execute, type Running } from "./execute.ts";
import { cancelled, logThrown, type Outcome } from "./results.ts";

/** The platform holds these requests; what is longer is lost. */
const pollMs = 75_000;
const heartbeatMs = 30_000;
/** Inputs and outputs are worth waiting for while the platform is restarted. */
const patienceMs = 10 * 60_000;
/** The platform's clock begins when it hands an input out, which is so much earlier at most; it is what says that time is up. */
const handedOutMs = 500;
/** In one request. */
const mostOutputs = 49;
/** Taken at a time by a container that runs several. */
const mostTaken = 49;
/** Outputs that are on their way while more inputs are taken. */
const mostUnsent = 4 * mostOutputs;

type Output = MessageInitShape<typeof FunctionPutOutputsItemSchema>;

export interface Work {
  readonly functionId: string;
  /** By the method that an input names, which only those of classes do. */
  readonly code: (method: string | undefined) => Code;
  /** Inputs that run at a time; of a batch all count as one. */
  readonly slots: number;
  /** 0: inputs are not batched. Of a class one method's are, and others come together that run one by one. */
  readonly batchSize: number;
  readonly batchLingerMs: bigint;
  /** Of one try of an input, in milliseconds. */
  readonly timeoutMs: number;
}

export class Container {
  readonly #client: Client;
  readonly #work: Work;
  readonly #running = new Set<Running & { readonly startedAt: number }>();
  /** Of a container that runs one input at a time. */
  readonly #ahead: Ahead | undefined;
  /** Have come with others, and wait for room. */
  #waiting: FunctionGetInputsItem[] = [];
  /** Each by its id and the number of its try: those that wait, those that run, and those whose outputs are on their way. */
  readonly #held = new Set<string>();
  /** No more inputs are taken. */
  readonly #draining = new AbortController();
  /** The last output is kept. */
  readonly #over = new AbortController();
  #freed = Promise.withResolvers<void>();
  readonly #outputs: Output[] = [];
  #sent: Promise<unknown> = Promise.resolve();
  /** Not kept by the platform yet. */
  #unsent = 0;

  constructor(client: Client, work: Work) {
    this.#client = client;
    this.#work = work;
    if (work.slots === 1 && work.batchSize === 0) {
      this.#ahead = new Ahead(client, patienceMs, (input) => this.#held.delete(keyOf(input)));
    }
  }

  /** Takes inputs until the platform or `drain` ends it; resolves when the last output is kept. */
  async run(): Promise<void> {
    const heart = this.#listen();
    try {
      while (!this.#draining.signal.aborted) {
        this.#begin();
        if (this.#running.size >= this.#work.slots || this.#unsent >= mostUnsent) {
          await this.#freed.promise;
          continue;
        }
        if (!(await this.#take())) break;
      }
      for (this.#begin(); this.#running.size > 0; this.#begin()) await this.#freed.promise;
      await this.#sent;
    } finally {
      this.#over.abort();
      await heart;
    }
  }

  /** Takes no more inputs; those that run may end. */
  drain(): void {
    this.#draining.abort();
    this.#ahead?.leave();
  }

  /** Tells all inputs that run to stop. */
  stopAll(reason: Error): void {
    for (const { stop } of this.#running) stop.abort(reason);
  }

  /**
   * False when there will be no more. While inputs are taken the outputs of those before are on their way, so the container has
   * room for both.
   */
  async #take(): Promise<boolean> {
    const { functionId, slots, batchSize, batchLingerMs } = this.#work;
    const many = this.#ahead?.window ?? Math.min(slots - this.#running.size, mostTaken);
    const batchMaxSize = batchSize > 0 ? batchSize : many;
    const request = { functionId, inputConcurrency: slots + 1, batchMaxSize, batchLingerMs };
    let items: FunctionGetInputsItem[];
    try {
      const limits = { timeoutMs: pollMs, patienceMs, signal: this.#draining.signal };
      ({ inputs: items } = await this.#client.ask(ModalClient.method.functionGetInputs, request, limits));
    } catch (error) {
      if (this.#draining.signal.aborted) return false;
      throw error;
    }
    if (items.some(({ killSwitch, input }) => killSwitch || input?.finalInput === true)) return false;
    // One that the platform gives a second time, since it cannot know that it has arrived, runs on.
    const fresh = items.filter((item) => !this.#held.has(keyOf(item)));
    for (const item of fresh) this.#held.add(keyOf(item));
    const code = this.#work.code(fresh[0]?.input?.methodName); // they are all of one method
    if (!code.isBatched) this.#waiting.push(...fresh);
    else if (fresh.length > 0) void this.#execute(code, fresh);
    this.#begin();
    if (this.#waiting.length > 0) this.#ahead?.hold(this.#waiting);
    return true;
  }

  #begin(): void {
    while (this.#running.size < this.#work.slots) {
      const item = this.#waiting.shift();
      if (item === undefined) return;
      if (this.#ahead?.begins(item) !== false) void this.#execute(this.#work.code(item.input?.methodName), [item]);
    }
  }

  async #execute(code: Code, items: readonly FunctionGetInputsItem[]): Promise<void> {
    const running = { items, stop: new AbortController(), startedAt: Date.now() };
    this.#running.add(running);
    const outcomes = await execute(this.#client, code, running, logThrown);
    this.#ahead?.ended();
    const answered = this.#answer(items.map((item, at) => outputOf(item, outcomes[at] as Outcome, running.startedAt)));
    if (this.#waiting.length > 0) await this.#onItsWay();
    this.#running.delete(running);
    this.#free();
    await answered;
    for (const item of items) this.#held.delete(keyOf(item));
    this.#free();
  }

  #free(): void {
    this.#freed.resolve();
    this.#freed = Promise.withResolvers();
  }

  /**
   * Resolves when the platform has them. Where several inputs run at a time, outputs that come while one request is under way go
   * together in the next. Where one does, each goes at once: the next input may keep this loop from sending anything.
   */
  async #answer(outputs: readonly Output[]): Promise<void> {
    this.#outputs.push(...outputs);
    this.#unsent += outputs.length;
    const sent = this.#ahead === undefined ? this.#sent.then(() => this.#sendAll()) : this.#sendAll();
    this.#sent = Promise.all([this.#sent, sent]);
    await sent;
  }

  async #sendAll(): Promise<void> {
    while (this.#outputs.length > 0) {
      const outputs = this.#outputs.splice(0, mostOutputs);
      const request = { outputs, requestedAt: Date.now() / 1000 };
      await this.#client.ask(ModalClient.method.functionPutOutputs, request, { patienceMs });
      this.#unsent -= outputs.length;
      this.#free();
    }
  }

  /** What was sent has left this process: the connection writes at the end of a turn, and what it is given in one goes together. */
  async #onItsWay(): Promise<void> {
    for (let turns = 0; turns < 3; turns++) await new Promise(setImmediate);
  }

  /** Says that it is alive, and hears which inputs are not wanted any more. */
  async #listen(): Promise<void> {
    const { signal } = this.#over;
    while (!signal.aborted) {
      try {
        const request = { canceledInputsReturnOutputs: true, canceledInputsReturnOutputsV2: true };
        const limits = { timeoutMs: heartbeatMs, patienceMs, signal };
        const { cancelInputEvent } = await this.#client.ask(ModalClient.method.containerHeartbeat, request, limits);
        if (cancelInputEvent !== undefined) this.#cancel(cancelInputEvent);
      } catch (error) {
        if (signal.aborted) return;
        throw error;
      }
    }
  }

  #cancel({ inputIds, cancellationReason }: CancelInputEvent): void {
    const wanted = new Set(inputIds);
    this.#ahead?.leave(({ inputId }) => wanted.has(inputId));
    const late = this.#ahead === undefined ? this.#waiting.filter(({ inputId }) => wanted.has(inputId)) : [];
    this.#waiting = this.#waiting.filter((item) => !late.includes(item));
    const outcome = cancelled(cancellationReason || "the input was cancelled before it began");
    void this.#answer(late.map((item) => outputOf(item, outcome, Date.now())));
    for (const { items, stop, startedAt } of this.#running) {
      if (!items.some(({ inputId }) => wanted.has(inputId))) continue;
      const isLate = Date.now() - startedAt >= this.#work.timeoutMs - handedOutMs;
      const name = isLate ? "TimeoutError" : "AbortError";
      stop.abort(
        new DOMException(
          cancellationReason || (isLate ? "the function ran for longer than its timeout" : "the input was cancelled"),
          name,
        ),
      );
    }
  }
}

const keyOf = ({ inputId, retryCount }: AheadInput): string => `${inputId} ${retryCount}`;

function outputOf(item: FunctionGetInputsItem, { result, format }: Outcome, startedAt: number): Output {
  return {
    inputId: item.inputId,
    functionCallId: item.functionCallId,
    ...(item.functionMapIdx !== undefined && { functionMapIdx: item.functionMapIdx }),
    retryCount: item.retryCount,
    result,
    dataFormat: format,
    inputStartedAt: startedAt / 1000,
    outputCreatedAt: Date.now() / 1000,
  };
}
