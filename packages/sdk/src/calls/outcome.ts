/** What came of an input: a value, or the error that its function threw. */
import { DataFormat, type GenericResult, GenericResult_GenericStatus as Status } from "@lydian/contract";

import type { Client } from "../client/client.ts";
import {
  FunctionTimeoutError,
  InternalFailure,
  RemoteError,
  type RemoteFailure,
  SerializationError,
} from "../errors.ts";
import { decodeCbor } from "../values/cbor-decode.ts";
import { errorFields } from "../values/error-value.ts";
import { getBlob } from "../values/payload.ts";

/** The value; throws what the function threw, as a RemoteError. */
export async function valueOf(client: Client, result: GenericResult, format: DataFormat): Promise<unknown> {
  switch (result.status) {
    case Status.SUCCESS:
      return decodeData(await dataOf(client, result), format);
    case Status.TIMEOUT:
      throw new FunctionTimeoutError(result.exception);
    case Status.INTERNAL_FAILURE:
      throw new InternalFailure(result.exception);
    default:
      throw await failureOf(client, result, format);
  }
}

export function decodeData(data: Uint8Array, format: DataFormat): unknown {
  if (format === DataFormat.CBOR) return decodeCbor(data);
  throw new SerializationError(`the result is in the format ${format}, which only Python reads`, {
    hint: "the function was deployed by a client that is too old to answer in CBOR; deploy it with a newer one",
  });
}

export async function dataOf(client: Client, { dataOneof }: GenericResult): Promise<Uint8Array> {
  if (dataOneof.case === "dataBlobId") return await getBlob(client, dataOneof.value);
  return dataOneof.value ?? new Uint8Array();
}

/** Functions in TypeScript send the error itself along; of others there is its text and its traceback. */
async function failureOf(client: Client, result: GenericResult, format: DataFormat): Promise<RemoteError> {
  const { exception, traceback } = result;
  if (format === DataFormat.CBOR && result.dataOneof.case !== undefined) {
    const error = decodeCbor(await dataOf(client, result));
    if (error instanceof Error) {
      const failure = failureIn(error);
      return new RemoteError(`${failure.name}: ${failure.message}`, { ...failure, stack: traceback });
    }
  }
  return new RemoteError(exception, readFailure(exception, traceback));
}

function failureIn(error: Error): Partial<RemoteFailure> {
  const { name, message, classes, data = {}, cause } = errorFields(error);
  return { name, message, classes, data, cause };
}

/**
 * Of a Python error as its text `ValueError('no user 7')` and its traceback, whose last line is `ValueError: no user 7`
 * with the names of modules before it.
 */
export function readFailure(exception: string, traceback: string): Partial<RemoteFailure> {
  const name = /^([A-Za-z_][\w.]*)\(/.exec(exception)?.[1];
  if (name === undefined) return { message: exception, stack: traceback };
  const last = new RegExp(`^(?:[\\w.<>]+\\.)?${name.replaceAll(".", "\\.")}(?:: ([\\s\\S]*))?$`, "m").exec(
    traceback.trimEnd(),
  );
  const quoted = /\((['"])([\s\S]*)\1,?\)$/.exec(exception)?.[2];
  return { name, message: last?.[1] ?? quoted ?? "", stack: traceback };
}
