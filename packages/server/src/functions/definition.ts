/** A function's definition, as its client wrote it, in the form that is kept. */
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Function, FunctionSchema$ } from "@lydian/contract";

import type { FunctionRecord } from "../domain/function.ts";
import { secretOf } from "../volumes/buckets.ts";

export function encodeDefinition(definition: Function): Uint8Array {
  return toBinary(FunctionSchema$, definition);
}

/** All secrets that its containers cannot begin without. */
export function usedSecrets({ secretIds, cloudBucketMounts }: Function): string[] {
  return [...new Set([...secretIds, ...cloudBucketMounts.flatMap(secretOf)])];
}

export function decodeDefinition(record: Pick<FunctionRecord, "definition">): Function {
  return fromBinary(FunctionSchema$, record.definition);
}
