/** The function that callers hold: finds out where it is when it is first called, and offers every way to call it. */
import { type FunctionHandleMetadata, Function_FunctionType as FunctionType, ModalClient } from "@lydian/contract";

import { feed, type Inputs } from "./calls/feed.ts";
import { type MapOptions, mapOver } from "./calls/map.ts";
import { callRemote, generateRemote } from "./calls/remote.ts";
import { callMany, callOnce } from "./calls/submit.ts";
import type { Target } from "./calls/target.ts";
import { type Variant, variantOf, whole, wholeSeconds } from "./calls/variant.ts";
import { InvalidError } from "./errors.ts";
import type { AutoscalerChange, FunctionStats, Handler, MapStream } from "./func.ts";
import { FunctionCall } from "./function-call.ts";
import { checkOptions, variantKinds } from "./option-kinds.ts";
import type { Batching, Concurrency, ResourceOptions } from "./options.ts";

/** What a handle is of. */
export interface Source {
  readonly name: () => string;
  readonly local: Handler | undefined;
  /** Undefined until it was looked up. */
  readonly isGenerator: boolean | undefined;
  /** Asked at each call. */
  readonly find: () => Promise<FoundTarget>;
}

export type FoundTarget = Target & { readonly appId: string };

export class FunctionHandle {
  readonly #source: Source;
  readonly #variant: Variant | undefined;
  readonly #signal: AbortSignal | undefined;
  /** The variant's own id, and of which function it is one. */
  #bound: { client: Target["client"]; baseId: string; target: Promise<Target> } | undefined;

  constructor(source: Source, variant?: Variant, signal?: AbortSignal) {
    this.#source = source;
    this.#variant = variant;
    this.#signal = signal;
  }

  get name(): string {
    return this.#source.name();
  }

  get local(): Handler {
    if (this.#source.local !== undefined) return this.#source.local;
    throw new InvalidError(`${this.name} was found by its name: its code is not here`, {
      hint: "call it with remote()",
    });
  }

  /** What kind it is may be known only when it is found: then both kinds of answers are the same object. */
  remote(...args: unknown[]): unknown {
    switch (this.#source.isGenerator) {
      case true:
        return this.remoteGen(...args);
      case false:
        return this.#call(args);
      case undefined:
        return this.#either(args);
    }
  }

  async *remoteGen(...args: unknown[]): AsyncGenerator<unknown, void> {
    const target = await this.#find();
    if (!target.isGenerator)
      throw new InvalidError(`${this.name} is no generator`, { hint: "await remote() for its result" });
    yield* generateRemote(target, args, this.#signal);
  }

  async spawn(...args: unknown[]): Promise<FunctionCall<unknown>> {
    const target = await this.#find();
    const { callId } = await callOnce(target, args, "async", this.#signal);
    return new FunctionCall(callId, target.client, target.isGenerator);
  }

  map(inputs: Inputs<unknown>, options?: MapOptions): MapStream<unknown> {
    return this.starmap(single(inputs), options);
  }

  starmap(inputs: Inputs<readonly unknown[]>, options: MapOptions = {}): MapStream<unknown> {
    const signals = [this.#signal, options.signal].filter((signal) => signal !== undefined);
    const begin = async function* (this: FunctionHandle): AsyncGenerator<unknown, void> {
      const target = await this.#plain("map");
      yield* mapOver(target, inputs, { ...options, ...(signals.length > 0 && { signal: AbortSignal.any(signals) }) });
    }.bind(this);
    return {
      [Symbol.asyncIterator]: begin,
      toArray: async () => {
        const results: unknown[] = [];
        for await (const result of begin()) results.push(result);
        return results;
      },
    };
  }

  async forEach(inputs: Inputs<unknown>, options: MapOptions = {}): Promise<void> {
    for await (const _ of this.map(inputs, { ...options, orderOutputs: false }));
  }

  async spawnMap(inputs: Inputs<unknown>): Promise<FunctionCall<unknown>> {
    const target = await this.#plain("spawnMap");
    const call = await callMany(target, "async", true, this.#signal);
    const signal = this.#signal ?? new AbortController().signal;
    const parts = { target, call, waits: "async" as const, inputs: single(inputs), signal };
    const numInputs = await feed({ ...parts, room: () => undefined, sent: () => {} });
    const { functionId, client } = target;
    await client.ask(ModalClient.method.functionFinishInputs, { functionId, functionCallId: call.callId, numInputs });
    return new FunctionCall(call.callId, client, false);
  }

  withOptions(options: ResourceOptions): FunctionHandle {
    checkOptions(options, variantKinds, `a variant of ${this.name || "a function"}`);
    return new FunctionHandle(this.#source, { ...this.#variant, ...options }, this.#signal);
  }

  withConcurrency(concurrent: Concurrency): FunctionHandle {
    return new FunctionHandle(this.#source, { ...this.#variant, concurrent }, this.#signal);
  }

  withBatching(batched: Batching): FunctionHandle {
    return new FunctionHandle(this.#source, { ...this.#variant, batched }, this.#signal);
  }

  async getWebUrl(): Promise<string> {
    const { client, functionId, method } = await this.#find();
    const { handleMetadata } = await client.ask(ModalClient.method.functionGetById, { functionId });
    const own = method === undefined ? handleMetadata : handleMetadata?.methodHandleMetadata[method];
    if (own !== undefined && own.webUrl !== "") return own.webUrl;
    throw new InvalidError(`${this.name} answers no web requests`);
  }

  async getCurrentStats(): Promise<FunctionStats> {
    const { client, functionId } = await this.#find();
    const found = await client.ask(ModalClient.method.functionGetCurrentStats, { functionId });
    const { backlog, numTotalTasks: numTotalRunners, numRunningInputs, inputHeadroom } = found;
    return { backlog, numTotalRunners, numRunningInputs, inputHeadroom };
  }

  async updateAutoscaler(change: AutoscalerChange): Promise<void> {
    const { client, functionId } = await this.#find();
    const { minContainers, maxContainers, bufferContainers, scaledownWindow } = change;
    const settings = {
      ...(minContainers !== undefined && { minContainers: whole(minContainers, "minContainers") }),
      ...(maxContainers !== undefined && { maxContainers: whole(maxContainers, "maxContainers") }),
      ...(bufferContainers !== undefined && { bufferContainers: whole(bufferContainers, "bufferContainers") }),
      ...(scaledownWindow !== undefined && { scaledownWindow: wholeSeconds(scaledownWindow, "scaledownWindow") }),
    };
    await client.ask(ModalClient.method.functionUpdateSchedulingParams, { functionId, settings });
  }

  withSignal(signal: AbortSignal): FunctionHandle {
    return new FunctionHandle(this.#source, this.#variant, signal);
  }

  async #call(args: readonly unknown[]): Promise<unknown> {
    return await callRemote(await this.#find(), args, this.#signal);
  }

  /** A promise of the result that is a generator of the items as well: the caller uses the one that it is. */
  #either(args: readonly unknown[]): unknown {
    const found = this.#find();
    let value: Promise<unknown> | undefined;
    const result = (): Promise<unknown> =>
      (value ??= found.then((target) => {
        if (!target.isGenerator) return callRemote(target, args, this.#signal);
        throw new InvalidError(`${this.name} is a generator`, { hint: "go through it with `for await`" });
      }));
    const generator = this.remoteGen(...args);
    // An ordinary function is called at once, also when nobody waits for the result; a generator when it is gone through.
    const eager = found.then((target) => (target.isGenerator ? undefined : result()));
    eager.catch(() => {}); // told to whoever waits for the result
    return Object.assign(generator, {
      // oxlint-disable-next-line unicorn/no-thenable -- it is a promise for the caller of an ordinary function
      then: (...handlers: Parameters<Promise<unknown>["then"]>) => result().then(...handlers),
      catch: (handler: (error: unknown) => unknown) => result().catch(handler),
      finally: (handler: () => void) => result().finally(handler),
    });
  }

  async #plain(way: string): Promise<Target> {
    const target = await this.#find();
    if (!target.isGenerator) return target;
    throw new InvalidError(`${this.name} is a generator, which ${way} cannot call`, {
      hint: "call remote() for each input",
    });
  }

  /** Where it is now: an app that is run again has other ids. */
  async #find(): Promise<Target> {
    const base = await this.#source.find();
    const variant = this.#variant;
    if (variant === undefined) return base;
    const known = this.#bound;
    if (known !== undefined && known.client === base.client && known.baseId === base.functionId)
      return await known.target;
    const target = bind(base, variant);
    this.#bound = { client: base.client, baseId: base.functionId, target };
    target.catch(() => (this.#bound = undefined)); // told to the caller; the next call tries anew
    return await target;
  }
}

async function bind(base: FoundTarget, variant: Variant): Promise<Target> {
  const { client, appId, functionId } = base;
  const place = { client, appId, environment: client.environment };
  const functionOptions = await variantOf(variant, place);
  const request = { functionId, functionOptions, environmentName: client.environment };
  const { boundFunctionId } = await client.ask(ModalClient.method.functionBindParams, request);
  return { ...base, functionId: boundFunctionId };
}

export function isGeneratorType({ functionType }: Pick<FunctionHandleMetadata, "functionType">): boolean {
  return functionType === FunctionType.GENERATOR;
}

/** Each input as the one argument of its call. */
function single(inputs: Inputs<unknown>): Inputs<readonly unknown[]> {
  return Symbol.iterator in inputs ? singleNow(inputs) : singleLater(inputs);
}

function* singleNow(inputs: Iterable<unknown>): Generator<readonly unknown[], void> {
  for (const input of inputs) yield [input];
}

async function* singleLater(inputs: AsyncIterable<unknown>): AsyncGenerator<readonly unknown[], void> {
  for await (const input of inputs) yield [input];
}
