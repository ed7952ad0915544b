/** Who called whom: the whole tree that a call belongs to, in the wire's words. */
import { fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type FunctionGetCallGraphResponseSchema,
  GenericResult_GenericStatus as Status,
  GenericResultSchema,
} from "@lydian/contract";

import type { Call } from "../domain/call.ts";
import type { Input } from "../domain/input.ts";
import type { Tx } from "../domain/store.ts";
import { decodeDefinition } from "../functions/definition.ts";
import { knownCall } from "./known.ts";

type Graph = MessageInitShape<typeof FunctionGetCallGraphResponseSchema>;

/** Inputs in one answer; what lies beyond is left out, and said to be. */
const mostInputs = 5_000;

export async function callGraph(tx: Tx, callId: string): Promise<Graph> {
  const inputs: NonNullable<Graph["inputs"]>[number][] = [];
  const functionCalls: NonNullable<Graph["functionCalls"]>[number][] = [];
  const open: Call[] = [await rootOf(tx, await knownCall(tx, callId))];
  for (let call = open.shift(); call !== undefined && inputs.length < mostInputs; call = open.shift()) {
    const record = await tx.functions.get(call.functionId);
    const definition = record && record.definition.length > 0 ? decodeDefinition(record) : undefined;
    functionCalls.push({
      functionCallId: call.id,
      parentInputId: call.parentInputId,
      functionName: definition?.functionName ?? record?.name ?? "",
      moduleName: definition?.moduleName ?? "",
    });
    for (const input of await tx.inputs.ofCall(call.id, mostInputs - inputs.length)) {
      const status = await statusOf(tx, input);
      inputs.push({ inputId: input.id, functionCallId: call.id, taskId: input.containerId ?? "", status });
      open.push(...(await tx.calls.children(input.id)));
    }
  }
  return { inputs, functionCalls, truncated: inputs.length >= mostInputs || open.length > 0 };
}

async function rootOf(tx: Tx, call: Call): Promise<Call> {
  const parent = call.parentInputId === "" ? undefined : await tx.inputs.get(call.parentInputId);
  const above = parent && (await tx.calls.get(parent.callId));
  return above === undefined ? call : await rootOf(tx, above);
}

async function statusOf(tx: Tx, input: Input): Promise<Status> {
  if (input.state !== "done") return Status.UNSPECIFIED;
  const output = await tx.outputs.of(input.id);
  return output === undefined ? Status.UNSPECIFIED : fromBinary(GenericResultSchema, output.result).status;
}
