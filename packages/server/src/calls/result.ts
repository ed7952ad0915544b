/** Results that the platform itself writes, in the wire's words. */
import { create, toBinary } from "@bufbuild/protobuf";
import { DataFormat, type GenericResult, GenericResultSchema, GenericResult_GenericStatus } from "@lydian/contract";

import type { Failure } from "../domain/input.ts";

const statuses: Record<Failure["status"], GenericResult_GenericStatus> = {
  failure: GenericResult_GenericStatus.FAILURE,
  terminated: GenericResult_GenericStatus.TERMINATED,
  timeout: GenericResult_GenericStatus.TIMEOUT,
  initFailure: GenericResult_GenericStatus.INIT_FAILURE,
};

export const statusOf = (status: Failure["status"]): GenericResult_GenericStatus => statuses[status];

/** What becomes an input's output: a serialized GenericResult and the format of its data. */
export interface Result {
  bytes: Uint8Array;
  dataFormat: DataFormat;
}

/**
 * A failure without data: the clients raise their own error with this text. Never INTERNAL_FAILURE, which they repeat
 * without end.
 */
export function failureResult(failure: Failure): Result {
  const result = create(GenericResultSchema, { status: statuses[failure.status], exception: failure.message });
  return encodeResult(result, DataFormat.UNSPECIFIED);
}

export function encodeResult(result: GenericResult, dataFormat: DataFormat): Result {
  return { bytes: toBinary(GenericResultSchema, result), dataFormat };
}
