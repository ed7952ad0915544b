/** What a status of gRPC means: the error that callers see, and whether it is worth another try. */
import type { IncomingHttpHeaders } from "node:http2";

import { fromBinary } from "@bufbuild/protobuf";
import { RPCRetryPolicySchema, StatusSchema } from "@lydian/contract";

import {
  AlreadyExistsError,
  AuthError,
  ConflictError,
  ConnectionError,
  InternalError,
  InvalidError,
  type LydianError,
  NotFoundError,
  PermissionDeniedError,
  ResourceExhaustedError,
  UnimplementedError,
} from "../errors.ts";
import { code, type StatusError } from "./status.ts";

const classes: Readonly<Record<number, typeof LydianError>> = {
  [code.invalidArgument]: InvalidError,
  [code.outOfRange]: InvalidError,
  [code.notFound]: NotFoundError,
  [code.alreadyExists]: AlreadyExistsError,
  [code.permissionDenied]: PermissionDeniedError,
  [code.resourceExhausted]: ResourceExhaustedError,
  [code.failedPrecondition]: ConflictError,
  [code.aborted]: ConflictError,
  [code.unimplemented]: UnimplementedError,
  [code.internal]: InternalError,
  [code.unauthenticated]: AuthError,
};

const transient: ReadonlySet<number> = new Set([
  code.unavailable,
  code.cancelled,
  code.unknown,
  code.deadlineExceeded,
  code.internal,
]);

/** Whether the same request may succeed if it is sent again. */
export const isTransient = (error: StatusError): boolean => transient.has(error.code);

/** `server` is the platform's address, for people. */
export function refusalOf(error: StatusError, server: string): LydianError {
  const known = classes[error.code];
  if (known !== undefined) return new known(error.message, { cause: error });
  return new ConnectionError(`the platform at ${server} does not answer: ${error.message}`, {
    hint: "start it with `lydian up`, or name another one with MODAL_SERVER_URL or MODAL_PROFILE",
    cause: error,
  });
}

/** When the platform says to ask again, and so not as one of the tries: after so many milliseconds. */
export function retryAfterMs({ trailers }: StatusError): number | undefined {
  const details = trailers["grpc-status-details-bin"];
  if (typeof details !== "string") return undefined;
  for (const detail of fromBinary(StatusSchema, Buffer.from(details, "base64")).details) {
    if (!detail.typeUrl.endsWith(`/${RPCRetryPolicySchema.typeName}`)) continue;
    return fromBinary(RPCRetryPolicySchema, detail.value).retryAfterSecs * 1000;
  }
  return undefined;
}

/** What the platform wants people to know, beside any answer. */
export function warningsIn(trailers: IncomingHttpHeaders): string[] {
  const said = trailers["x-modal-warning"];
  const all = said === undefined ? [] : Array.isArray(said) ? said : said.split(", ");
  return all.map((text) => decodeURIComponent(text));
}
