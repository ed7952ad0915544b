/** Classes as their callers see them: objects that live in containers, one for each set of arguments. */
import { type ClassParameterInfo, ModalClient } from "@lydian/contract";

import { type Variant, variantOf } from "./calls/variant.ts";
import type { Constructor } from "./class-definition.ts";
import { Client } from "./client/client.ts";
import { InvalidError } from "./errors.ts";
import type { Func, Handler, Unbatched } from "./func.ts";
import { FunctionHandle, isGeneratorType } from "./function-handle.ts";
import type { NameOptions } from "./objects/place.ts";
import { checkOptions, variantKinds } from "./option-kinds.ts";
import type { Batching, Concurrency, MethodOptions, ResourceOptions } from "./options.ts";
import { encodeParameters } from "./values/class-parameters.ts";

/** What `methods` of a class says, by name. */
export type ClassMethods<T> = { readonly [K in keyof T & string]?: MethodOptions };
/** A name that the class has not is an error. */
export type NoOtherMethods<M, T> = { readonly [K in Exclude<keyof M, keyof T>]: never };

type MethodHandle<F extends Handler, O> = O extends { readonly batched: object }
  ? Func<Unbatched<F>>
  : O extends { readonly webEndpoint: object }
    ? Pick<Func<F>, "name" | "getWebUrl">
    : Func<F>;

/** The methods of a class, each to be called like a function. Those whose names begin with "_" are not among them. */
export type RemoteInstance<T, M = unknown> = {
  readonly [
    K in keyof T as K extends `_${string}` | symbol | number ? never : T[K] extends Handler ? K : never
  ]: T[K] extends Handler ? MethodHandle<T[K], K extends keyof M ? M[K] : unknown> : never;
};

export type Parameters<C extends Constructor> =
  ConstructorParameters<C> extends [infer P, ...unknown[]]
    ? Partial<P> extends P
      ? [parameters?: P]
      : [parameters: P]
    : [];

/** Variants of a class: with other options, and with containers of their own. */
interface Variants<Self> {
  /** The same class with other resources, and containers of its own. What is left out stays. */
  withOptions(options: ResourceOptions): Self;
  /** The same class whose containers run so many inputs at a time, in containers of its own. */
  withConcurrency(concurrency: Concurrency): Self;
  /** The same class whose batched method is given lists of another size, in containers of its own. */
  withBatching(batching: Batching): Self;
}

/** A class whose instances are in containers: `new` makes a handle of one, and nothing happens until a method is called. */
export interface RemoteClass<C extends Constructor, M = unknown> extends Variants<RemoteClass<C, M>> {
  new (...parameters: Parameters<C>): RemoteInstance<InstanceType<C>, M>;
}

/** A class of an app. */
export interface DefinedClass<C extends Constructor, M = unknown> extends RemoteClass<C, M> {
  /** An instance here, after its `[enter]`; `await using` runs its `[exit]`. */
  local(...parameters: Parameters<C>): Promise<InstanceType<C> & AsyncDisposable>;
}

/** A class whose methods and parameters somebody has written down: one of another language, say. */
export interface Cls<T, P extends object = Record<string, never>> extends Variants<Cls<T, P>> {
  new (...parameters: Partial<P> extends P ? [parameters?: P] : [parameters: P]): RemoteInstance<T>;
}

type Found<T, P extends object> = T extends DefinedClass<infer C, infer M> ? RemoteClass<C, M> : Cls<T, P>;

/** Where the containers of a class are, and what it is like. */
export interface FoundClass {
  readonly client: Client;
  readonly appId: string;
  readonly functionId: string;
  readonly info: ClassParameterInfo | undefined;
  /** Whether each is a generator. */
  readonly methods: ReadonlyMap<string, boolean>;
}

/** Classes of other apps: `Cls.fromName`. */
export const Cls = {
  /**
   * The class `name` of the deployed app `app`, in whatever language it is written: `Cls.fromName<typeof Model>(…)` for one whose
   * type is at hand. Otherwise `T` has its methods, as they are called from here, and `P` its parameters:
   * `Cls.fromName<{ embed(text: string): number[] }, { size?: string }>("ml", "Model")`.
   */
  fromName<T, P extends object = Record<string, never>>(
    app: string,
    name: string,
    options: NameOptions = {},
  ): Found<T, P> {
    let found: Promise<FoundClass> | undefined;
    return remoteClass(
      () => name,
      () => (found ??= lookUp(app, name, options)),
    ) as unknown as Found<T, P>;
  },
};

async function lookUp(appName: string, name: string, options: NameOptions): Promise<FoundClass> {
  const client = options.client ?? Client.usual();
  const environmentName = options.environment ?? client.environment;
  const { functionId, handleMetadata } = await client.ask(ModalClient.method.functionGet, {
    appName,
    objectTag: `${name}.*`,
    environmentName,
  });
  const methods = Object.entries(handleMetadata?.methodHandleMetadata ?? {}).map(
    ([method, own]) => [method, isGeneratorType(own)] as const,
  );
  return {
    client,
    appId: handleMetadata?.appId ?? "",
    functionId,
    info: handleMetadata?.classParameterInfo,
    methods: new Map(methods),
  };
}

/** What `new` is called on. */
export function remoteClass(
  name: () => string,
  find: () => Promise<FoundClass>,
  variant?: Variant,
): ((parameters?: Readonly<Record<string, unknown>>) => unknown) & Variants<unknown> {
  const other = (options: Variant): Variants<unknown> => remoteClass(name, find, { ...variant, ...options });
  const make = function (parameters: Readonly<Record<string, unknown>> = {}): object {
    let bound: Promise<FoundClass> | undefined;
    return methodsOf(name, () => (bound ??= bind(name(), find(), parameters, variant)));
  };
  return Object.assign(make, {
    withOptions: (options: ResourceOptions) => {
      checkOptions(options, variantKinds, `a variant of ${name() || "a class"}`);
      return other(options);
    },
    withConcurrency: (concurrent: Concurrency) => other({ concurrent }),
    withBatching: (batched: Batching) => other({ batched }),
  });
}

/** The containers of these arguments and options: the class's own where there are none. */
async function bind(
  name: string,
  found: Promise<FoundClass>,
  parameters: Readonly<Record<string, unknown>>,
  variant: Variant | undefined,
): Promise<FoundClass> {
  const base = await found;
  const { client, appId, functionId } = base;
  const serializedParams = encodeParameters(name, base.info, parameters);
  if (serializedParams.byteLength === 0 && variant === undefined) return base;
  const { environment } = client;
  const functionOptions = variant && (await variantOf(variant, { client, appId, environment }));
  const request = { functionId, serializedParams, environmentName: environment };
  const options = functionOptions && { functionOptions };
  const reply = await client.ask(ModalClient.method.functionBindParams, { ...request, ...options });
  return { ...base, functionId: reply.boundFunctionId };
}

/** Which methods there are may be known only when it was looked up, so every name is one until it is called. */
function methodsOf(className: () => string, bound: () => Promise<FoundClass>): object {
  const methods = new Map<string, FunctionHandle>();
  return new Proxy(Object.create(null) as object, {
    get(_target, key) {
      if (typeof key !== "string" || key === "then") return undefined; // it is no promise
      const known = methods.get(key) ?? methodOf(className, key, bound);
      methods.set(key, known);
      return known;
    },
  });
}

function methodOf(className: () => string, method: string, bound: () => Promise<FoundClass>): FunctionHandle {
  const name = (): string => `${className()}.${method}`;
  return new FunctionHandle({
    name,
    local: undefined,
    isGenerator: undefined,
    find: async () => {
      const { client, appId, functionId, methods } = await bound();
      const isGenerator = methods.get(method);
      if (isGenerator !== undefined) return { client, functionId, name: name(), isGenerator, method, appId };
      throw new InvalidError(`${className()} has no method ${JSON.stringify(method)}`, {
        hint: `it has: ${[...methods.keys()].join(", ")}`,
      });
    },
  });
}
