/** Functions of deployed apps, by name. */
import { DataFormat, ModalClient } from "@lydian/contract";

import { Client } from "./client/client.ts";
import { InvalidError } from "./errors.ts";
import type { Func as FuncOf, Handler } from "./func.ts";
import { type FoundTarget, FunctionHandle, isGeneratorType } from "./function-handle.ts";
import type { NameOptions } from "./objects/place.ts";

/** A function that can be called, in a container or here. */
export type Func<F extends Handler = Handler, Name extends string = string> = FuncOf<F, Name>;

export const Func = {
  /**
   * The function `name` of the deployed app `app`, in whatever language it is written: `Func.fromName<typeof hello>(…)` for
   * one whose type is at hand, or with a signature that you write. It is looked up when it is first called.
   */
  fromName<F extends Handler | FuncOf = (...args: unknown[]) => Promise<unknown>>(
    app: string,
    name: string,
    options: NameOptions = {},
  ): F extends Handler ? FuncOf<F> : F {
    let found: Promise<FoundTarget> | undefined;
    const find = (): Promise<FoundTarget> => {
      found ??= lookUp(app, name, options);
      found.catch(() => (found = undefined)); // told to the caller; the next call looks anew
      return found;
    };
    const handle = new FunctionHandle({ name: () => name, local: undefined, isGenerator: undefined, find });
    return handle as unknown as F extends Handler ? FuncOf<F> : F;
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
