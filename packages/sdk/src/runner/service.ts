/** What answers the inputs of a container: a function, or an instance of a class with its methods. */
import { type Function, Function_FunctionType as FunctionType } from "@lydian/contract";

import { type Constructor, enterInstance, exitInstance, methodsIn } from "../class-definition.ts";
import { InvalidError } from "../errors.ts";
import { decodeParameters } from "../values/class-parameters.ts";
import type { Code } from "./execute.ts";
import { loadFunction } from "./load.ts";

export class Service {
  readonly #code: ReadonlyMap<string, Code>;
  readonly #instance: object | undefined;

  private constructor(code: ReadonlyMap<string, Code>, instance?: object) {
    this.#code = code;
    this.#instance = instance;
  }

  /** Imports the code; of a class makes the instance of these parameters, and runs its `[enter]`. */
  static async load(definition: Function, parameters: Uint8Array, own: string): Promise<Service> {
    const { handler, kind, web } = await loadFunction(definition, own);
    if (kind !== "class") {
      const isGenerator = definition.functionType === FunctionType.GENERATOR;
      return new Service(
        new Map([["", { handler: handler as Code["handler"], isGenerator, isWeb: web !== undefined }]]),
      );
    }
    const constructor = handler as unknown as Constructor;
    const instance = (await enterInstance(constructor, decodeParameters(parameters))) as Record<
      string,
      Code["handler"]
    >;
    const methods = [...methodsIn(constructor)].map(([name, isGenerator]): [string, Code] => [
      name,
      { handler: (...args) => instance[name]?.(...args), isGenerator, isWeb: false },
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
    return { handler, isGenerator: false, isWeb: false };
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
