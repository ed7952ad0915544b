/** Classes whose instances live in containers: what their authors write, and what is read from it. Pure. */
import {
  type ClassParameterInfo,
  ClassParameterInfo_ParameterSerializationFormat as Format,
  ClassParameterInfoSchema,
  ParameterType,
} from "@lydian/contract";
import { create } from "@bufbuild/protobuf";

import { InvalidError } from "./errors.ts";
import { type Fields, type FieldValues, shapeOf } from "./fields.ts";

/** A method under this name runs once, in the container, before the instance takes inputs: `async [enter]() { … }`. */
export const enter: unique symbol = Symbol.for("lydian.enter") as never;

/** A method under this name runs when the container ends: `async [exit]() { … }`. It is what `await using` calls as well. */
export const exit: typeof Symbol.asyncDispose = Symbol.asyncDispose;

type Required<S extends Fields> = {
  [K in keyof S]: S[K] extends StringConstructor | NumberConstructor | BooleanConstructor ? K : never;
}[keyof S];

/** What is given for fields: those with a default may be left out. */
export type FieldInput<S extends Fields> = { [K in Required<S>]: FieldValues<S>[K] } & {
  [K in Exclude<keyof S, Required<S>>]?: FieldValues<S>[K];
};

export type Constructor = abstract new (...args: never[]) => object;

const parameterSpec = Symbol.for("lydian.parameters");

/**
 * The base of a class with parameters: `class extends params({ lang: String, size: "base" }) { … }` has the fields `lang`,
 * which must be given, and `size`, which is "base" unless it is given. They are texts, whole numbers, true or false.
 */
export function params<const S extends Fields>(spec: S): { new (given: FieldInput<S>): Readonly<FieldValues<S>> } {
  const wrong = Object.keys(spec).find((name) => shapeOf(spec[name] as never).isRepeated);
  if (wrong !== undefined)
    throw new InvalidError(`the parameter ${wrong} is a list, which no parameter of a class can be`);
  class Parameters {
    static readonly [parameterSpec] = spec;
    constructor(given: Readonly<Record<string, unknown>> = {}) {
      for (const name of Object.keys(spec))
        Object.assign(this, { [name]: given[name] ?? shapeOf(spec[name] as never).fallback });
    }
  }
  return Parameters as never;
}

const types = {
  string: ParameterType.PARAM_TYPE_STRING,
  number: ParameterType.PARAM_TYPE_INT,
  boolean: ParameterType.PARAM_TYPE_BOOL,
} as const;

/** What a class takes, as the wire has it. */
export function parametersOf(constructor: Constructor): ClassParameterInfo {
  const { [parameterSpec]: spec = {} } = constructor as { [parameterSpec]?: Fields };
  const schema = Object.entries(spec).map(([name, field]) => {
    const { kind, fallback } = shapeOf(field);
    const type = types[kind];
    const [text, number] = [typeof fallback === "string" ? fallback : "", typeof fallback === "number" ? fallback : 0];
    const common = { name, type, fullType: { baseType: type }, hasDefault: fallback !== undefined };
    if (fallback === undefined) return common;
    if (kind === "string") return { ...common, defaultOneof: { case: "stringDefault" as const, value: text } };
    if (kind === "boolean")
      return { ...common, defaultOneof: { case: "boolDefault" as const, value: fallback === true } };
    if (!Number.isSafeInteger(number))
      throw new InvalidError(`the parameter ${name} is ${number}, and has to be a whole number`);
    return { ...common, defaultOneof: { case: "intDefault" as const, value: BigInt(number) } };
  });
  return create(ClassParameterInfoSchema, { format: Format.PARAM_SERIALIZATION_FORMAT_PROTO, schema });
}

/** What can be called of its instances from outside, and whether each is a generator. */
export function methodsIn(constructor: Constructor): ReadonlyMap<string, boolean> {
  const methods = new Map<string, boolean>();
  let prototype = constructor.prototype as object | null;
  for (
    ;
    prototype !== null && prototype !== Object.prototype;
    prototype = Object.getPrototypeOf(prototype) as object | null
  ) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
      if (name === "constructor" || name.startsWith("_") || typeof value !== "function" || methods.has(name)) continue;
      methods.set(name, (value as () => void).constructor.name.endsWith("GeneratorFunction"));
    }
  }
  return methods;
}

/** Throws for a class that cannot be made in a container. */
export function checkClass(constructor: Constructor): void {
  if (constructor.length > 0) {
    throw new InvalidError("a class has a constructor of its own, which no container could call", {
      hint: "take parameters by `class extends params({ … })`, and do the work of the constructor in `[enter]`",
    });
  }
  if (methodsIn(constructor).size === 0) throw new InvalidError("a class has no methods that could be called");
}

/** The instance, once its `[enter]` has run. */
export async function enterInstance(
  constructor: Constructor,
  parameters: Readonly<Record<string, unknown>>,
): Promise<object> {
  const make = constructor as unknown as new (parameters: Readonly<Record<string, unknown>>) => object;
  const instance = new make(parameters) as { [enter]?: () => unknown };
  await instance[enter]?.();
  return instance;
}

export async function exitInstance(instance: object): Promise<void> {
  await (instance as { [exit]?: () => unknown })[exit]?.();
}
