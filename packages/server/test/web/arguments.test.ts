/** Arguments of a class in a request's query: of their kinds, with defaults, or refused for the caller to read. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { create, fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import {
  ClassParameterInfo_ParameterSerializationFormat as Format,
  ClassParameterSetSchema,
  type ClassParameterSpecSchema,
  FunctionSchema$,
  ParameterType as Type,
} from "@lydian/contract";

import { isFail } from "../../src/errors.ts";
import { classArguments } from "../../src/web/arguments.ts";

type Spec = MessageInitShape<typeof ClassParameterSpecSchema>;

const format = Format.PARAM_SERIALIZATION_FORMAT_PROTO;

function read(schema: Spec[], query: string): Record<string, unknown> | undefined {
  const definition = create(FunctionSchema$, { classParameterInfo: { format, schema } });
  const bytes = classArguments(definition, query);
  if (bytes === undefined) return undefined;
  const { parameters } = fromBinary(ClassParameterSetSchema, bytes);
  return Object.fromEntries(parameters.map(({ name, valueOneof }) => [name, valueOneof.value]));
}

const size: Spec = { name: "size", type: Type.PARAM_TYPE_INT };
const color: Spec = { name: "color", fullType: { baseType: Type.PARAM_TYPE_STRING } };
const bold: Spec = { name: "bold", type: Type.PARAM_TYPE_BOOL };

describe("a query", () => {
  it("says what a class's parameters are", () => {
    assert.deepEqual(read([size, color, bold], "size=-7&color=light%20red&bold=true&other=1"), {
      size: -7n,
      color: "light red",
      bold: true,
    });
  });

  it("leaves out what has a default", () => {
    const defaults: Spec[] = [
      { ...size, hasDefault: true, defaultOneof: { case: "intDefault", value: 3n } },
      { ...color, hasDefault: true, defaultOneof: { case: "stringDefault", value: "red" } },
    ];
    assert.deepEqual(read(defaults, ""), { size: 3n, color: "red" });
  });

  it("is refused where it is wrong, or not enough", () => {
    for (const query of ["size=1.5", "size=", "size=9223372036854775808", "color=red"]) {
      assert.throws(
        () => read([size], query),
        (error) => isFail(error, "invalidArgument") && /"size"/.test(error.text),
        query,
      );
    }
    assert.throws(() => read([bold], "bold=perhaps"), /true or false/);
    const bytes: Spec = { name: "bytes", type: Type.PARAM_TYPE_BYTES };
    assert.throws(() => read([bytes], "bytes=x"), /cannot be said in a query/);
  });

  it("means nothing to a class without parameters", () => {
    assert.equal(read([], "size=1"), undefined);
  });
});
