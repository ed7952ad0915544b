/** Functions as their callers see them: here, elsewhere, once, many times; and how those of deployed apps are found. */
import { DataFormat, ModalClient } from "@lydian/contract";

import type { MapOptions } from "./calls/map.ts";
import { Client } from "./client/client.ts";
import { InvalidError } from "./errors.ts";
import type { FunctionCall } from "./function-call.ts";
import { type FoundTarget, FunctionHandle, isGeneratorType } from "./function-handle.ts";
import type { NameOptions } from "./objects/place.ts";
import type { Batching, Concurrency, ResourceOptions } from "./options.ts";

/** Any function, or method. */
export type Handler = (...args: never[]) => unknown;

/** What a generator gives; never for any other function, also where nothing is known of what it returns. */
export type Item<F extends Handler> = ItemOf<ReturnType<F>>;
type ItemOf<R> =
  IsAny<R> extends true
    ? never
    : [R] extends [never]
      ? never
      : [R] extends [AsyncGenerator<infer Y, unknown, unknown> | Generator<infer Y, unknown, unknown>]
        ? Y
        : never;
type IsAny<T> = 0 extends 1 & T ? true : false;
export type IsGenerator<F extends Handler> = [Item<F>] extends [never] ? false : true;
export type Result<F extends Handler> = Awaited<ReturnType<F>>;
type Kept<F extends Handler> = IsGenerator<F> extends true ? Item<F> : Result<F>;
type Many<T> = Iterable<T> | AsyncIterable<T>;

/** Results as they come; `toArray` waits for all of them. */
export interface MapStream<R> extends AsyncIterable<R> {
  /** All results, once they are there; throws the first error, unless `returnExceptions` was given. */
  toArray(): Promise<R[]>;
}

type OneOfEach<P extends readonly unknown[]> = { [K in keyof P]: P[K] extends readonly (infer T)[] ? T : never };

/** What a function whose handler takes lists is called with: one of each. */
export type Unbatched<F extends Handler> = (
  ...args: OneOfEach<Parameters<F>>
) => Promise<Result<F> extends readonly (infer R)[] ? R : never>;

/**
 * A function of an app, or of a deployed one. It is not called itself: `local` and `remote` say where its code runs. Errors
 * that the code throws come as a RemoteError, those of the platform under their own names (errors.ts).
 */
export interface Func<F extends Handler = Handler, Name extends string = string> {
  /** What the platform and other programs call it. */
  readonly name: Name;
  /** The handler itself, here. Of a function that was found by its name there is none. */
  readonly local: F;
  /** Runs it in a container and waits: the result, or the items of a generator. */
  remote(...args: Parameters<F>): IsGenerator<F> extends true ? AsyncGenerator<Item<F>, void> : Promise<Result<F>>;
  /** The items of a generator, as `remote` gives them, under the name that Python has for it. */
  remoteGen(...args: Parameters<F>): AsyncGenerator<Item<F>, void>;
  /** Starts it and does not wait. */
  spawn(...args: Parameters<F>): Promise<FunctionCall<Kept<F>>>;
  /** One call for each input; the results in the inputs' order, unless `orderOutputs: false`. */
  map<const O extends MapOptions>(
    inputs: Many<Parameters<F>[0]>,
    options?: O,
  ): MapStream<O extends { returnExceptions: true } ? Result<F> | Error : Result<F>>;
  /** As `map`, with all arguments of each call. */
  starmap<const O extends MapOptions>(
    inputs: Many<Readonly<Parameters<F>>>,
    options?: O,
  ): MapStream<O extends { returnExceptions: true } ? Result<F> | Error : Result<F>>;
  /** As `map`, for what the function does and not for its results. */
  forEach(inputs: Many<Parameters<F>[0]>, options?: MapOptions): Promise<void>;
  /** Starts a call of many inputs and does not wait for it; returns when all inputs are kept. */
  spawnMap(inputs: Many<Parameters<F>[0]>): Promise<FunctionCall<Result<F>>>;
  /** A variant with other options, with containers of its own. */
  withOptions(options: ResourceOptions): Func<F, Name>;
  /** A variant whose containers run so many inputs at a time. */
  withConcurrency(concurrency: Concurrency): Func<F, Name>;
  /** A variant that takes so many inputs in one call of its handler; of a function that is `batched`. */
  withBatching(batching: Batching): Func<F, Name>;
  /** The same, whose calls the signal cancels. */
  withSignal(signal: AbortSignal): Func<F, Name>;
  /** Of a web function: where the platform serves it. */
  getWebUrl(): Promise<string>;
  /** What it has to do now. */
  getCurrentStats(): Promise<FunctionStats>;
  /** Changes how its containers are scaled, until it is deployed again; what is left out stays. */
  updateAutoscaler(change: AutoscalerChange): Promise<void>;
}

/** A function's load now. */
export interface FunctionStats {
  /** Inputs that no container has. */
  readonly backlog: number;
  /** Containers. */
  readonly numTotalRunners: number;
  /** Inputs that its containers have. */
  readonly numRunningInputs: number;
  /** Inputs that its containers could still take. */
  readonly inputHeadroom: number;
}

/** What of the scaling is to change; what is left out stays. */
export type AutoscalerChange = Pick<
  ResourceOptions,
  "minContainers" | "maxContainers" | "bufferContainers" | "scaledownWindow"
>;

export const Func = {
  /**
   * The function `name` of the deployed app `app`, in whatever language it is written: `Func.fromName<typeof hello>(…)` for
   * one whose type is at hand, or with a signature that you write. It is looked up when it is first called.
   */
  fromName<F extends Handler | Func = (...args: unknown[]) => Promise<unknown>>(
    app: string,
    name: string,
    options: NameOptions = {},
  ): F extends Handler ? Func<F> : F {
    let found: Promise<FoundTarget> | undefined;
    const find = (): Promise<FoundTarget> => {
      found ??= lookUp(app, name, options);
      found.catch(() => (found = undefined)); // told to the caller; the next call looks anew
      return found;
    };
    const handle = new FunctionHandle({ name: () => name, local: undefined, isGenerator: undefined, find });
    return handle as unknown as F extends Handler ? Func<F> : F;
  },
};

async function lookUp(app: string, name: string, options: NameOptions): Promise<FoundTarget> {
  const client = options.client ?? Client.usual();
  const { functionId, handleMetadata } = await client.ask(ModalClient.method.functionGet, {
    appName: app,
    objectTag: name,
    environmentName: options.environment ?? client.environment,
  });
  const formats = handleMetadata?.supportedInputFormats ?? [];
  if (formats.length > 0 && !formats.includes(DataFormat.CBOR)) {
    throw new InvalidError(`${name} of app ${app} takes arguments of Python alone`, {
      hint: "deploy it again with a newer Python client",
    });
  }
  const isGenerator = handleMetadata !== undefined && isGeneratorType(handleMetadata);
  return { client, functionId, name, isGenerator, method: undefined, appId: handleMetadata?.appId ?? "" };
}
