/** Arguments of a class whose methods are web functions: a request says them in its query, beside the method's own. */
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  ClassParameterInfo_ParameterSerializationFormat as Format,
  ClassParameterSetSchema,
  type ClassParameterSpec,
  type ClassParameterValueSchema,
  type Function,
  ParameterType,
} from "@lydian/contract";

import { fail } from "../errors.ts";

type Value = NonNullable<MessageInitShape<typeof ClassParameterValueSchema>["valueOneof"]>;

/** Whether a request says which of the class's variants it is for. */
export function takesParameters({ classParameterInfo }: Function): boolean {
  const { format, schema = [] } = classParameterInfo ?? {};
  return format === Format.PARAM_SERIALIZATION_FORMAT_PROTO && schema.length > 0;
}

/** As a client serializes them; undefined for a class that takes none. Throws invalidArgument, for the caller to read. */
export function classArguments(definition: Function, query: string): Uint8Array | undefined {
  if (!takesParameters(definition)) return undefined;
  const schema = definition.classParameterInfo?.schema ?? [];
  const given = new URLSearchParams(query);
  const parameters = schema.map((spec) => {
    const { name } = spec;
    const text = given.get(name);
    const type = spec.fullType?.baseType || spec.type;
    return { name, type, valueOneof: text === null ? defaultOf(spec) : valueOf(name, type, text) };
  });
  return toBinary(ClassParameterSetSchema, create(ClassParameterSetSchema, { parameters }));
}

function valueOf(name: string, type: ParameterType, text: string): Value {
  switch (type) {
    case ParameterType.PARAM_TYPE_STRING:
      return { case: "stringValue", value: text };
    case ParameterType.PARAM_TYPE_INT: {
      const value = /^-?\d{1,19}$/.test(text) ? BigInt(text) : undefined;
      if (value === undefined || BigInt.asIntN(64, value) !== value) throw wrong(name, "a whole number");
      return { case: "intValue", value };
    }
    case ParameterType.PARAM_TYPE_BOOL:
      if (!/^(?:true|false|0|1)$/i.test(text)) throw wrong(name, "true or false");
      return { case: "boolValue", value: /^(?:true|1)$/i.test(text) };
    default:
      throw fail("invalidArgument", `The parameter "${name}" cannot be said in a query.`);
  }
}

function defaultOf({ name, hasDefault, defaultOneof }: ClassParameterSpec): Value {
  if (!hasDefault) throw fail("invalidArgument", `The query lacks the parameter "${name}".`);
  switch (defaultOneof.case) {
    case "stringDefault":
      return { case: "stringValue", value: defaultOneof.value };
    case "intDefault":
      return { case: "intValue", value: defaultOneof.value };
    case "boolDefault":
      return { case: "boolValue", value: defaultOneof.value };
    case "bytesDefault":
      return { case: "bytesValue", value: defaultOneof.value };
    case "pickleDefault":
      return { case: "pickleValue", value: defaultOneof.value };
    case undefined:
      throw new Error(`parameter ${name} has a default and none`);
  }
}

const wrong = (name: string, kind: string): Error =>
  fail("invalidArgument", `The parameter "${name}" in the query has to be ${kind}.`);
