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
import type { MethodOptions } from "./options.ts";

/** A method under this name runs once, in the container, before the instance takes inputs: `async [enter]() { … }`. */
export const enter: unique symbol = Symbol.for("lydian.enter") as never;

/** As `[enter]`, and before it: what a snapshot of the container's memory is to have in it, where the platform makes one. */
export const enterSnapshot: unique symbol = Symbol.for("lydian.enterSnapshot") as never;

/** A method under this name runs when the container ends: `async [exit]() { … }`. It is what `await using` calls as well. */
export const exit: typeof Symbol.asyncDispose = Symbol.asyncDispose;

type Required<S extends Fields> = {
  [K in keyof S]: S[K] extends StringConstructor | NumberConstructor | BooleanConstructor | Uint8ArrayConstructor
    ? K
    : never;
}[keyof S];

/** What is given for fields: those with a default may be left out. */
export type FieldInput<S extends Fields> = { [K in Required<S>]: FieldValues<S>[K] } & {
  [K in Exclude<keyof S, Required<S>>]?: FieldValues<S>[K];
};

export type Constructor = abstract new (...args: never[]) => object;

const parameterSpec = Symbol.for("lydian.parameters");

/**
 * The base of a class with parameters: `class extends params({ lang: String, size: "base" }) { … }` has the fields `lang`,
 * which must be given, and `size`, which is "base" unless it is given. They are texts, whole
 * numbers, true or false, and bytes.
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
  bytes: ParameterType.PARAM_TYPE_BYTES,
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
    if (kind === "bytes")
      return { ...common, defaultOneof: { case: "bytesDefault" as const, value: fallback as Uint8Array } };
    if (kind === "boolean")
      return { ...common, defaultOneof: { case: "boolDefault" as const, value: fallback === true } };
    if (!Number.isSafeInteger(number))
      throw new InvalidError(`the parameter ${name} is ${number}, and has to be a whole number`);
    return { ...common, defaultOneof: { case: "intDefault" as const, value: BigInt(number) } };
  });
  return create(ClassParameterInfoSchema, { format: Format.PARAM_SERIALIZATION_FORMAT_PROTO, schema });
}

/** What can be called of its instances from outside, and whether each is a generator. */
export function methodsIn(
  constructor: Constructor,
  options: Readonly<Record<string, MethodOptions>> = {},
): ReadonlyMap<string, boolean> {
  const methods = new Map<string, boolean>();
  let prototype = constructor.prototype as object | null;
  for (
    ;
    prototype !== null && prototype !== Object.prototype;
    prototype = Object.getPrototypeOf(prototype) as object | null
  ) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
      if (name === "constructor" || name.startsWith("_") || typeof value !== "function" || methods.has(name)) continue;
      const written = (value as () => void).constructor.name.endsWith("GeneratorFunction");
      methods.set(name, options[name]?.isGenerator ?? written);
    }
  }
  return methods;
}

/** Throws for a class that cannot be made in a container, and for what is said of methods that it has not. */
export function checkClass(constructor: Constructor, options: Readonly<Record<string, MethodOptions>>): void {
  if (constructor.length > 0) {
    throw new InvalidError("a class has a constructor of its own, which no container could call", {
      hint: "take parameters by `class extends params({ … })`, and do the work of the constructor in `[enter]`",
    });
  }
  const methods = methodsIn(constructor, options);
  if (methods.size === 0) throw new InvalidError("a class has no methods that could be called");
  const stray = Object.keys(options).find((name) => !methods.has(name));
  if (stray !== undefined) {
    throw new InvalidError(`methods has ${JSON.stringify(stray)}, and the class has no such public method`, {
      hint: `it has: ${[...methods.keys()].join(", ")}`,
    });
  }
  const batched = Object.entries(options).filter(([, { batched: own }]) => own !== undefined);
  const [one, two] = batched.map(([name]) => name);
  if (one !== undefined && two !== undefined) {
    throw new InvalidError(`${one} and ${two} of one class are batched, and one can be`, {
      hint: "put one of them into a class of its own",
    });
  }
  if (one !== undefined && methods.get(one) === true)
    throw new InvalidError(`${one} is batched and a generator, which no method can be`);
}

/** The instance, once its `[enter]` has run. */
export async function enterInstance(
  constructor: Constructor,
  parameters: Readonly<Record<string, unknown>>,
): Promise<object> {
  const make = constructor as unknown as new (parameters: Readonly<Record<string, unknown>>) => object;
  const instance = new make(parameters) as { [enterSnapshot]?: () => unknown; [enter]?: () => unknown };
  await instance[enterSnapshot]?.();
  await instance[enter]?.();
  return instance;
}

export async function exitInstance(instance: object): Promise<void> {
  await (instance as { [exit]?: () => unknown })[exit]?.();
}
