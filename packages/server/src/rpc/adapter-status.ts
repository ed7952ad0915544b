/** Errors and warnings as the clients read them: status, percent-encoded text, status details. */
import { create, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import { type Any, anyPack, AnySchema } from "@bufbuild/protobuf/wkt";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { toBinary } from "@bufbuild/protobuf";
import { FunctionLookupError_Reason, FunctionLookupErrorSchema, RPCRetryPolicySchema } from "@lydian/contract";
import { Metadata } from "@grpc/grpc-js";

import { errorTable, type ServerError } from "../errors.ts";

/** The longest text of a status, in characters: clients refuse more than 64 KiB of trailers, and encoding triples. */
const longestText = 8000;

/** What ends a call on the wire. */
export interface WireStatus {
  code: number;
  details: string;
  metadata: Metadata;
}

/** The status of an error. `warnings` travel with errors as well as with replies. */
export function statusOf(error: ServerError, warnings: readonly string[] = []): WireStatus {
  const { grpc: code } = errorTable[error.code];
  const text = error.text.toWellFormed(); // lone surrogates would throw inside the gRPC library, outside any handler
  const details = text.length > longestText ? `${text.slice(0, longestText).toWellFormed()}…` : text;
  const metadata = trailersOf(warnings) ?? new Metadata();
  const { retryAfter: seconds } = error;
  const extras = seconds === undefined ? error.details : [...error.details, retryAfter(seconds)];
  if (extras.length > 0) metadata.set("grpc-status-details-bin", encodeStatus(code, details, extras));
  return { code, details, metadata };
}

/** Trailing metadata with one entry per warning, or undefined when there is none. */
export function trailersOf(warnings: readonly string[]): Metadata | undefined {
  if (warnings.length === 0) return undefined;
  const metadata = new Metadata();
  for (const text of warnings) metadata.add("x-modal-warning", encodeURIComponent(text.toWellFormed()));
  return metadata;
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

/** A serialized google.rpc.Status: code = 1, message = 2, details = 3. */
function encodeStatus(code: number, message: string, details: readonly Any[]): Buffer {
  const writer = new BinaryWriter();
  writer.tag(1, WireType.Varint).int32(code);
  writer.tag(2, WireType.LengthDelimited).string(message);
  for (const detail of details) writer.tag(3, WireType.LengthDelimited).bytes(toBinary(AnySchema, detail));
  return Buffer.from(writer.finish());
}
