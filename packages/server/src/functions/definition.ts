/** A function's definition, as its client wrote it, in the form that is kept. */
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Function, FunctionSchema$ } from "@lydian/contract";

import type { FunctionRecord } from "../domain/function.ts";

export function encodeDefinition(definition: Function): Uint8Array {
  return toBinary(FunctionSchema$, definition);
}

export function decodeDefinition(record: Pick<FunctionRecord, "definition">): Function {
  return fromBinary(FunctionSchema$, record.definition);
}
