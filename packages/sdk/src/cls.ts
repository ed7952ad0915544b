/** Classes of deployed apps, by name: objects that live in containers, one for each set of arguments. */
import { type FunctionHandleMetadata, ModalClient } from "@lydian/contract";

import { Client } from "./client/client.ts";
import { InvalidError } from "./errors.ts";
import type { Func, Handler } from "./func.ts";
import { FunctionHandle, isGeneratorType } from "./function-handle.ts";
import type { NameOptions } from "./objects/place.ts";
import { encodeParameters } from "./values/class-parameters.ts";

/** The methods of a class, each to be called like a function. */
export type RemoteInstance<T> = {
  readonly [K in keyof T as T[K] extends Handler ? K : never]: T[K] extends Handler ? Func<T[K]> : never;
};

/** Makes handles of instances: nothing happens until a method is called. */
export interface Cls<T, P extends object = Record<string, never>> {
  new (...parameters: Partial<P> extends P ? [parameters?: P] : [parameters: P]): RemoteInstance<T>;
}

interface Base {
  readonly client: Client;
  readonly functionId: string;
  readonly environmentName: string;
  readonly metadata: FunctionHandleMetadata | undefined;
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
    let base: Promise<Base> | undefined;
    const find = async (): Promise<Base> => {
      const client = options.client ?? Client.usual();
      const environmentName = options.environment ?? client.environment;
      const request = { appName: app, objectTag: `${name}.*`, environmentName };
      const { functionId, handleMetadata } = await client.ask(ModalClient.method.functionGet, request);
      return { client, functionId, environmentName, metadata: handleMetadata };
    };
    const instance = function (parameters: Readonly<Record<string, unknown>> = {}): unknown {
      let bound: Promise<Base> | undefined;
      return methodsOf(name, () => (bound ??= bind(name, (base ??= find()), parameters)));
    };
    return instance as unknown as Cls<T, P>;
  },
};

/** The container of these arguments: the class's own where it takes none. */
async function bind(name: string, found: Promise<Base>, parameters: Readonly<Record<string, unknown>>): Promise<Base> {
  const base = await found;
  const { client, functionId, environmentName, metadata } = base;
  const serializedParams = encodeParameters(name, metadata?.classParameterInfo, parameters);
  if (serializedParams.byteLength === 0) return base;
  const request = { functionId, serializedParams, environmentName };
  const { boundFunctionId, handleMetadata } = await client.ask(ModalClient.method.functionBindParams, request);
  return { ...base, functionId: boundFunctionId, metadata: handleMetadata ?? metadata };
}

/** Which methods there are is known only when it was looked up, so every name is one until it is called. */
function methodsOf(className: string, bound: () => Promise<Base>): object {
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

function methodOf(className: string, method: string, bound: () => Promise<Base>): FunctionHandle {
  const name = `${className}.${method}`;
  return new FunctionHandle({
    name: () => name,
    local: undefined,
    isGenerator: undefined,
    find: async () => {
      const { client, functionId, metadata } = await bound();
      const known = metadata?.methodHandleMetadata ?? {};
      const own = known[method];
      if (own === undefined) {
        throw new InvalidError(`${className} has no method ${JSON.stringify(method)}`, {
          hint: `it has: ${Object.keys(known).join(", ")}`,
        });
      }
      return { client, functionId, name, isGenerator: isGeneratorType(own), method, appId: metadata?.appId ?? "" };
    },
  });
}
