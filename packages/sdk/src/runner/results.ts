/** What a function returned or threw, as it travels. */
import { create, toBinary } from "@bufbuild/protobuf";
import {
  DataFormat,
  type GenericResult,
  GenericResult_GenericStatus as Status,
  GenericResultSchema,
  GeneratorDoneSchema,
} from "@lydian/contract";

import type { Client } from "../client/client.ts";
import { SerializationError } from "../errors.ts";
import { encodeCbor } from "../values/cbor-encode.ts";
import { define } from "../values/error-value.ts";
import { storePayload } from "../values/payload.ts";

export interface Outcome {
  readonly result: GenericResult;
  readonly format: DataFormat;
}

export async function succeeded(client: Client, value: unknown, invocation: "sync" | "async"): Promise<Outcome> {
  const payload = await storePayload(client, encodeCbor(value, "result"), invocation);
  const dataOneof = payload.case === "data" ? payload : { case: "dataBlobId" as const, value: payload.value };
  return { result: create(GenericResultSchema, { status: Status.SUCCESS, dataOneof }), format: DataFormat.CBOR };
}

export function generated(itemsTotal: number): Outcome {
  const value = toBinary(GeneratorDoneSchema, create(GeneratorDoneSchema, { itemsTotal: BigInt(itemsTotal) }));
  return {
    result: create(GenericResultSchema, { status: Status.SUCCESS, dataOneof: { case: "data", value } }),
    format: DataFormat.GENERATOR_DONE,
  };
}

/** The error itself goes along for callers in this language; others read its text. */
export function failed(thrown: unknown): Outcome {
  const error = thrown instanceof Error ? thrown : new Error(`a value was thrown that is no Error: ${shown(thrown)}`);
  const result = create(GenericResultSchema, {
    status: Status.FAILURE,
    exception: `${error.name}: ${error.message}${hintOf(error)}`,
    traceback: ownFrames(error.stack ?? ""),
    dataOneof: { case: "data", value: encodeError(error) },
  });
  return { result, format: DataFormat.CBOR };
}

/** Into the container's log, with its causes: whoever waits for the result may see less of it, and of most inputs nobody does. */
export function logThrown(thrown: unknown): void {
  if (thrown instanceof Error) cutToOwnFrames(thrown);
  console.error(thrown);
}

/** In its causes, too. */
function cutToOwnFrames(error: Error): void {
  const stack = ownFrames(error.stack ?? "");
  if (stack !== error.stack && Object.isExtensible(error)) define(error, "stack", stack, false);
  if (error.cause instanceof Error && error.cause !== error) cutToOwnFrames(error.cause);
}

/** For callers that read no more than the text. */
function hintOf(error: Error): string {
  return "hint" in error && typeof error.hint === "string" ? `\nHint: ${error.hint}` : "";
}

/** Without the frames below those of the function, which are this runner's. */
export function ownFrames(stack: string, runner = import.meta.dirname): string {
  const lines = stack.split("\n");
  const last = lines.findLastIndex((line) => !line.includes(runner) && !/^ {4}at .*\bnode:/.test(line));
  return lines[last]?.startsWith("    at ") === true ? lines.slice(0, last + 1).join("\n") : stack;
}

export function cancelled(reason: string): Outcome {
  return {
    result: create(GenericResultSchema, { status: Status.TERMINATED, exception: reason }),
    format: DataFormat.CBOR,
  };
}

/** Without its own fields and its cause where these cannot travel. */
function encodeError(error: Error): Uint8Array {
  try {
    return encodeCbor(error, "error");
  } catch (refused) {
    if (!(refused instanceof SerializationError)) throw refused;
    const bare = new Error(error.message);
    bare.name = error.name;
    bare.stack = error.stack ?? "";
    return encodeCbor(bare, "error");
  }
}

function shown(thrown: unknown): string {
  try {
    return JSON.stringify(thrown) ?? String(thrown);
  } catch {
    return Object.prototype.toString.call(thrown);
  }
}
