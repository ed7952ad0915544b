/** What answers the inputs of a container: a function, or an instance of a class with its methods. */
import { type Function as Wire, Function_FunctionType as FunctionType } from "@lydian/contract";

import { type Constructor, enterInstance, exitInstance, methodsIn } from "../class-definition.ts";
import type { Definition } from "../definition.ts";
import { InvalidError } from "../errors.ts";
import { decodeParameters } from "../values/class-parameters.ts";
import { proxyTo } from "../web/proxy.ts";
import { listens } from "../web/server.ts";
import type { Code } from "./execute.ts";
import { loadFunction } from "./load.ts";

export class Service {
  readonly #code: ReadonlyMap<string, Code>;
  readonly #instance: object | undefined;

  private constructor(code: ReadonlyMap<string, Code>, instance?: object) {
    this.#code = code;
    this.#instance = instance;
  }

  /** Imports the code, and readies it. */
  static async load(definition: Wire, parameters: Uint8Array, own: string): Promise<Service> {
    const found = await loadFunction(definition, own);
    return await Service.of(found, parameters, definition.functionType === FunctionType.GENERATOR);
  }

  /** Of a class makes the instance of these parameters, and runs its `[enter]`; starts a server and waits for it. */
  static async of(found: Definition, parameters: Uint8Array, isGenerator: boolean): Promise<Service> {
    if (found.kind === "class") return await Service.#ofClass(found, parameters);
    const { handler, server, web, batched } = found;
    if (server !== undefined) {
      await handler();
      await listens(server);
    }
    const code = {
      handler: (server === undefined ? handler : proxyTo(server.port)) as Code["handler"],
      isGenerator,
      isWeb: web !== undefined,
      isBatched: batched !== undefined,
    };
    return new Service(new Map([["", code]]));
  }

  static async #ofClass({ handler, methods: options }: Definition, parameters: Uint8Array): Promise<Service> {
    const constructor = handler as unknown as Constructor;
    const instance = (await enterInstance(constructor, decodeParameters(parameters))) as Record<
      string,
      Code["handler"]
    >;
    const methods = [...methodsIn(constructor, options)].map(([name, isGenerator]): [string, Code] => [
      name,
      {
        handler: (...args) => instance[name]?.(...args),
        isGenerator,
        isWeb: options[name]?.webEndpoint !== undefined,
        isBatched: options[name]?.batched !== undefined,
      },
    ]);
    return new Service(new Map(methods), instance);
  }

  code(method = ""): Code {
    const found = this.#code.get(method);
    if (found !== undefined) return found;
    const handler = (): never => {
      throw new InvalidError(`there is no method ${JSON.stringify(method)}`, {
        hint: `there are: ${[...this.#code.keys()].join(", ")}`,
      });
    };
    return { handler, isGenerator: false, isWeb: false, isBatched: false };
  }

  /** Runs `[exit]`. What that throws is in the log, and nobody's error. */
  async close(): Promise<void> {
    if (this.#instance === undefined) return;
    try {
      await exitInstance(this.#instance);
    } catch (error) {
      console.error(error);
    }
  }
}
