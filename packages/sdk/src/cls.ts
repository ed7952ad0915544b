/** Classes as their callers see them: objects that live in containers, one for each set of arguments. */
import { type ClassParameterInfo, ModalClient } from "@lydian/contract";

import { Client } from "./client/client.ts";
import { InvalidError } from "./errors.ts";
import type { Func, Handler } from "./func.ts";
import { FunctionHandle, isGeneratorType } from "./function-handle.ts";
import type { NameOptions } from "./objects/place.ts";
import { encodeParameters } from "./values/class-parameters.ts";

/** The methods of a class, each to be called like a function. Those whose names begin with "_" are not among them. */
export type RemoteInstance<T> = {
  readonly [
    K in keyof T as K extends `_${string}` | symbol | number ? never : T[K] extends Handler ? K : never
  ]: T[K] extends Handler ? Func<T[K]> : never;
};

/** Makes handles of instances: nothing happens until a method is called. */
export interface Cls<T, P extends object = Record<string, never>> {
  new (...parameters: Partial<P> extends P ? [parameters?: P] : [parameters: P]): RemoteInstance<T>;
}

/** Where the containers of a class are, and what it is like. */
export interface FoundClass {
  readonly client: Client;
  readonly appId: string;
  readonly functionId: string;
  readonly info: ClassParameterInfo | undefined;
  /** Whether each is a generator. */
  readonly methods: ReadonlyMap<string, boolean>;
}

export const Cls = {
  /**
   * The class `name` of the deployed app `app`, in whatever language it is written. `T` has its methods, as they are called
   * from here, and `P` its parameters: `Cls.fromName<{ embed(text: string): number[] }, { size?: string }>("ml", "Model")`.
   */
  fromName<T, P extends object = Record<string, never>>(
    app: string,
    name: string,
    options: NameOptions = {},
  ): Cls<T, P> {
    let found: Promise<FoundClass> | undefined;
    return remoteClass(
      () => name,
      () => (found ??= lookUp(app, name, options)),
    ) as unknown as Cls<T, P>;
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
): (parameters?: Readonly<Record<string, unknown>>) => unknown {
  return function (parameters = {}) {
    let bound: Promise<FoundClass> | undefined;
    return methodsOf(name, () => (bound ??= bind(name(), find(), parameters)));
  };
}

/** The containers of these arguments: the class's own where it takes none. */
async function bind(
  name: string,
  found: Promise<FoundClass>,
  parameters: Readonly<Record<string, unknown>>,
): Promise<FoundClass> {
  const base = await found;
  const serializedParams = encodeParameters(name, base.info, parameters);
  if (serializedParams.byteLength === 0) return base;
  const request = { functionId: base.functionId, serializedParams, environmentName: base.client.environment };
  const { boundFunctionId } = await base.client.ask(ModalClient.method.functionBindParams, request);
  return { ...base, functionId: boundFunctionId };
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
