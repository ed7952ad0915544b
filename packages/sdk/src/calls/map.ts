/** Many inputs of one call, and their results as they come. */
import { type FunctionGetOutputsItem, ModalClient } from "@lydian/contract";

import { TimeoutError } from "../errors.ts";
import { longPatienceMs } from "./await.ts";
import { feed, type Inputs } from "./feed.ts";
import { valueOf } from "./outcome.ts";
import { callMany, cancel, type OpenCall } from "./submit.ts";
import type { Target } from "./target.ts";

const holdSeconds = 55;
const answerMs = 20_000;

/** How a map goes through its inputs. */
export interface MapOptions {
  /** Results in the order of their inputs (the default), or as they come. */
  orderOutputs?: boolean;
  /** What an input throws is its result, and the others go on. Otherwise the first error ends the map. */
  returnExceptions?: boolean;
  /** The most inputs without a result at a time; 1000 at most. */
  concurrency?: number;
  /** Cancels what has not finished. */
  signal?: AbortSignal;
}

/** The results; leaving the loop, an error and the signal cancel what has not finished. */
export async function* mapOver(
  target: Target,
  inputs: Inputs<readonly unknown[]>,
  options: MapOptions = {},
): AsyncGenerator<unknown, void> {
  const { orderOutputs = true, returnExceptions = false, signal: given } = options;
  const stopped = new AbortController();
  const signal = AbortSignal.any([stopped.signal, ...(given ? [given] : [])]);
  const call = await callMany(target, "sync", returnExceptions, signal);
  const run = new MapRun(target, call, options.concurrency);
  const feeding = run.feed(inputs, signal);
  let isWhole = false;
  try {
    const waiting = new Map<number, unknown>();
    let next = 0;
    for await (const output of run.outputs(signal)) {
      const value = await settle(target, output, returnExceptions);
      if (!orderOutputs) {
        yield value;
        continue;
      }
      waiting.set(output.idx, value);
      for (; waiting.has(next); next++) {
        const ready = waiting.get(next);
        waiting.delete(next);
        yield ready;
      }
    }
    await feeding;
    isWhole = true;
  } finally {
    stopped.abort();
    await feeding.catch(() => {}); // its error has ended the loop, or the loop's own has
    await (isWhole ? run.acknowledge() : cancel(target, call.callId));
  }
}

async function settle(
  { client }: Target,
  { result, dataFormat }: FunctionGetOutputsItem,
  returnExceptions: boolean,
): Promise<unknown> {
  if (result === undefined) throw new Error("an output has no result");
  if (!returnExceptions) return await valueOf(client, result, dataFormat);
  try {
    return await valueOf(client, result, dataFormat);
  } catch (error) {
    return error;
  }
}

/** What is known of a map under way. */
class MapRun {
  readonly #target: Target;
  readonly #call: OpenCall;
  readonly #most: number;
  #sent = 0;
  #finished = 0;
  #total = Number.POSITIVE_INFINITY;
  #changed = Promise.withResolvers<void>();
  #fault: { error: unknown } | undefined;

  constructor(target: Target, call: OpenCall, concurrency = Number.POSITIVE_INFINITY) {
    this.#target = target;
    this.#call = call;
    this.#most = Math.max(1, Math.min(concurrency, call.mostOutstanding));
  }

  async feed(inputs: Inputs<readonly unknown[]>, signal: AbortSignal): Promise<void> {
    try {
      const sent = (count: number): void => {
        this.#sent = count;
        this.#change();
      };
      const parts = { target: this.#target, call: this.#call, waits: "sync" as const, inputs, signal, sent };
      this.#total = await feed({ ...parts, room: (count) => this.#room(count, signal) });
      await this.#target.client.ask(ModalClient.method.functionFinishInputs, {
        functionId: this.#target.functionId,
        functionCallId: this.#call.callId,
        numInputs: this.#total,
      });
    } catch (error) {
      this.#fault = { error };
      throw error;
    } finally {
      this.#change();
    }
  }

  /** Each input's, as they come, and each once. */
  async *outputs(signal: AbortSignal): AsyncGenerator<FunctionGetOutputsItem, void> {
    let lastEntryId = "0-0";
    const seen = new Set<number>();
    while (this.#finished < this.#total) {
      if (this.#fault !== undefined) throw this.#fault.error;
      signal.throwIfAborted();
      if (this.#finished === this.#sent) {
        await Promise.race([this.#changed.promise, aborted(signal)]);
        continue;
      }
      const request = {
        functionCallId: this.#call.callId,
        timeout: holdSeconds,
        lastEntryId,
        requestedAt: Date.now() / 1000,
      };
      const limits = { timeoutMs: holdSeconds * 1000 + answerMs, patienceMs: longPatienceMs, signal };
      const reply = await this.#target.client.ask(ModalClient.method.functionGetOutputs, request, limits);
      lastEntryId = reply.lastEntryId || lastEntryId;
      for (const output of reply.outputs) {
        if (seen.has(output.idx)) continue;
        seen.add(output.idx);
        this.#finished++;
        this.#change();
        yield output;
      }
    }
    if (this.#fault !== undefined) throw this.#fault.error;
  }

  /** Nobody will ask for these outputs again. */
  async acknowledge(): Promise<void> {
    const request = {
      functionCallId: this.#call.callId,
      timeout: 0,
      lastEntryId: "0-0",
      clearOnSuccess: true,
      requestedAt: Date.now() / 1000,
    };
    await this.#target.client.ask(ModalClient.method.functionGetOutputs, { ...request, maxValues: 1 });
  }

  #room(count: number, signal: AbortSignal): Promise<void> | undefined {
    if (count - this.#finished < this.#most) return undefined;
    const wait = async (): Promise<void> => {
      while (count - this.#finished >= this.#most) {
        signal.throwIfAborted();
        await Promise.race([this.#changed.promise, aborted(signal)]);
      }
    };
    return wait();
  }

  #change(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const fail = (): void =>
      reject(signal.reason instanceof Error ? signal.reason : new TimeoutError("the map was stopped"));
    if (signal.aborted) fail();
    else signal.addEventListener("abort", fail, { once: true });
  });
}
