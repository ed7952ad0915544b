/** Arguments of a class as they travel: each by its parameter's name and type, always in the same order. */
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  type ClassParameterInfo,
  ClassParameterInfo_ParameterSerializationFormat as Format,
  ClassParameterSetSchema,
  type ClassParameterSpec,
  type ClassParameterValueSchema,
  ParameterType,
} from "@lydian/contract";

import { InvalidError } from "../errors.ts";

type Value = NonNullable<MessageInitShape<typeof ClassParameterValueSchema>["valueOneof"]>;

/** Empty for a class that takes none. Throws an InvalidError that names what is missing, unknown or of another type. */
export function encodeParameters(
  className: string,
  info: ClassParameterInfo | undefined,
  given: Readonly<Record<string, unknown>>,
): Uint8Array {
  const schema = info?.schema ?? [];
  const stray = Object.keys(given).find((name) => !schema.some((spec) => spec.name === name));
  if (stray !== undefined) {
    const names = schema.map(({ name }) => name).join(", ") || "none";
    throw new InvalidError(`${className} has no parameter ${JSON.stringify(stray)}`, { hint: `it takes: ${names}` });
  }
  if (schema.length === 0) return new Uint8Array();
  if (info?.format !== Format.PARAM_SERIALIZATION_FORMAT_PROTO) {
    throw new InvalidError(`${className} takes arguments that only Python can give`, {
      hint: "declare them with modal.parameter()",
    });
  }
  const parameters = schema
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map((spec) => ({ name: spec.name, type: spec.type, valueOneof: valueOf(className, spec, given[spec.name]) }));
  return toBinary(ClassParameterSetSchema, create(ClassParameterSetSchema, { parameters }));
}

function valueOf(className: string, spec: ClassParameterSpec, given: unknown): Value {
  const { name, type, defaultOneof } = spec;
  if (given === undefined) {
    switch (defaultOneof.case) {
      case "stringDefault":
        return { case: "stringValue", value: defaultOneof.value };
      case "intDefault":
        return { case: "intValue", value: defaultOneof.value };
      case "bytesDefault":
        return { case: "bytesValue", value: defaultOneof.value };
      case "boolDefault":
        return { case: "boolValue", value: defaultOneof.value };
      case "pickleDefault":
      case undefined:
        throw new InvalidError(`${className} needs the parameter ${name}`);
    }
  }
  if (type === ParameterType.PARAM_TYPE_STRING && typeof given === "string")
    return { case: "stringValue", value: given };
  if (type === ParameterType.PARAM_TYPE_BOOL && typeof given === "boolean") return { case: "boolValue", value: given };
  if (type === ParameterType.PARAM_TYPE_BYTES && given instanceof Uint8Array)
    return { case: "bytesValue", value: given };
  const isInt = typeof given === "bigint" || Number.isSafeInteger(given);
  if (type === ParameterType.PARAM_TYPE_INT && isInt)
    return { case: "intValue", value: BigInt(given as number | bigint) };
  throw new InvalidError(`the parameter ${name} of ${className} is of another type than it was given as`);
}

/** As they were given, by name; whole numbers beyond what a number holds are bigints. */
export function decodeParameters(bytes: Uint8Array): Record<string, unknown> {
  const { parameters } = fromBinary(ClassParameterSetSchema, bytes);
  return Object.fromEntries(
    parameters.map(({ name, valueOneof: { value } }) => [
      name,
      typeof value === "bigint" && Number.isSafeInteger(Number(value)) ? Number(value) : value,
    ]),
  );
}
