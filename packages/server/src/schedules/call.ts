/** A scheduled run: a call without arguments, whose result nobody waits for. */
import { create, toBinary } from "@bufbuild/protobuf";
import { DataFormat, FunctionInputSchema } from "@lydian/contract";

import { type CallLimits, submitCall } from "../calls/submit.ts";
import type { Call } from "../domain/call.ts";
import type { Context } from "../domain/context.ts";
import type { Schedule } from "../domain/schedule.ts";
import type { Tx } from "../domain/store.ts";

/** No arguments, and none by name: Python's pickle of `((), {})` (empty tuple, empty dict, a pair of both), or `[[], {}]`. */
const payloads: Record<Schedule["format"], Uint8Array> = {
  pickle: inputOf(DataFormat.PICKLE, [0x80, 0x04, 0x29, 0x7d, 0x86, 0x2e]),
  cbor: inputOf(DataFormat.CBOR, [0x82, 0x80, 0xa0]),
};

function inputOf(dataFormat: DataFormat, bytes: readonly number[]): Uint8Array {
  const argsOneof = { case: "args", value: Uint8Array.from(bytes) } as const;
  return toBinary(FunctionInputSchema, create(FunctionInputSchema, { argsOneof, dataFormat }));
}

/** Throws, before anything is written, when the function cannot be called. */
export async function callScheduled(
  tx: Tx,
  { functionId, format }: Pick<Schedule, "functionId" | "format">,
  limits: CallLimits,
  context: Context,
): Promise<Call> {
  const inputs = [{ index: 0, payload: payloads[format], method: "" }];
  const submission = { functionId, shape: "unary", invocation: "async", parentInputId: "", inputs } as const;
  return (await submitCall(tx, submission, limits, context)).call;
}

/** Whether the run before waits for a container, or for its next attempt. */
export async function lastWaits(tx: Tx, { last }: Schedule): Promise<boolean> {
  if (last === undefined) return false;
  const [input] = await tx.inputs.ofCall(last.callId, 1); // none when the call is forgotten
  return input?.state === "queued" || input?.state === "delayed";
}
