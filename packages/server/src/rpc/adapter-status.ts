/** Errors and warnings as the clients read them: status, percent-encoded text, status details. */
import { create, type DescMessage, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { type Any, anyPack } from "@bufbuild/protobuf/wkt";
import {
  FunctionLookupError_Reason,
  FunctionLookupErrorSchema,
  RPCRetryPolicySchema,
  StatusSchema,
} from "@lydian/contract";

import { errorTable, type ServerError } from "../errors.ts";
import type { Status } from "../grpc/headers.ts";
import type { Language } from "../wording.ts";

/** The longest text of a status, in characters: clients refuse more than 64 KiB of trailers, and encoding triples. */
const longestText = 8000;

/** The status of an error. `warnings` travel with errors as well as with replies. */
export function statusOf(error: ServerError, warnings: readonly string[] = [], language: Language = "python"): Status {
  const { grpc: code } = errorTable[error.code];
  const whole = error.textFor(language).toWellFormed();
  const text = whole.length > longestText ? `${whole.slice(0, longestText).toWellFormed()}…` : whole;
  const { retryAfter: seconds } = error;
  const extras = seconds === undefined ? error.details : [...error.details, retryAfter(seconds)];
  const metadata = new Map<string, readonly (string | Uint8Array)[]>(warned(warnings));
  if (extras.length > 0)
    metadata.set("grpc-status-details-bin", [
      toBinary(StatusSchema, create(StatusSchema, { code, message: text, details: [...extras] })),
    ]);
  return { code, text, metadata };
}

export function successOf(warnings: readonly string[]): Status {
  return warnings.length === 0 ? success : { ...success, metadata: warned(warnings) };
}

const success: Status = { code: 0, text: "", metadata: new Map() };

/** One entry of metadata per warning. */
function warned(warnings: readonly string[]): Map<string, readonly string[]> {
  if (warnings.length === 0) return new Map();
  return new Map([["x-modal-warning", warnings.map((text) => encodeURIComponent(text.toWellFormed()))]]);
}

/** Status detail that makes the client wait and ask again without using up one of its attempts. */
export function retryAfter(seconds: number): Any {
  return statusDetail(RPCRetryPolicySchema, { retryAfterSecs: seconds });
}

/** Status detail of NOT_FOUND on FunctionGet: the name is a class, and the client hints at `Cls.from_name`. */
export function isClassName(): Any {
  return statusDetail(FunctionLookupErrorSchema, { reason: FunctionLookupError_Reason.CLASS_NAME_USED });
}

/** Packs any message of the wire as a status detail. */
export function statusDetail<D extends DescMessage>(schema: D, init: MessageInitShape<D>): Any {
  return anyPack(schema, create(schema, init));
}
