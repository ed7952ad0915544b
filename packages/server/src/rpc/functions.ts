/** Functions and classes: reserve, define. */
import { create } from "@bufbuild/protobuf";
import {
  ClassCreateResponseSchema,
  type Function,
  type FunctionCreateRequest,
  FunctionCreateResponseSchema,
  FunctionPrecreateResponseSchema,
  FunctionSchema$,
  type ModalClient,
} from "@lydian/contract";

import { fail } from "../errors.ts";
import { defineClass, defineFunction, reserveFunction } from "../functions/define.ts";
import { functionData, functionHandle } from "../functions/handle.ts";
import { type Rpcs, user, userOrContainer } from "./adapter-access.ts";
import type { Call } from "./adapter-call.ts";
import { type Platform, once } from "./platform.ts";

export function functionRpcs(platform: Platform): Rpcs<typeof ModalClient> {
  return {
    functionPrecreate: user((request, call) =>
      once(platform, call, FunctionPrecreateResponseSchema, async (tx, context) => {
        const { appId, functionName: name, existingFunctionId: existingId } = request;
        const clientVersion = clientVersionOf(call);
        const record = await reserveFunction(tx, { appId, name, existingId, clientVersion }, context);
        const { functionName, functionType, methodDefinitions, functionSchema } = request;
        const { supportedInputFormats, supportedOutputFormats } = request;
        const provisional = create(FunctionSchema$, {
          functionName,
          functionType,
          methodDefinitions,
          supportedInputFormats,
          supportedOutputFormats,
          ...(functionSchema && { functionSchema }),
        });
        return { functionId: record.id, handleMetadata: functionHandle(record, provisional) };
      }),
    ),
    functionCreate: user((request, call) =>
      once(platform, call, FunctionCreateResponseSchema, async (tx, context) => {
        const definition = definitionIn(request);
        refuseUnsupported(definition);
        const { appId, existingFunctionId: existingId } = request;
        const clientVersion = clientVersionOf(call);
        const record = await defineFunction(tx, { appId, definition, existingId, clientVersion }, context);
        return {
          functionId: record.id,
          function: definition,
          functionData: functionData(definition),
          handleMetadata: functionHandle(record, definition),
        };
      }),
    ),
    functionGetCurrentStats: userOrContainer(({ functionId }) =>
      platform.store.read(async (tx) => {
        const demand = await tx.functions.demand(functionId);
        if (demand === undefined) throw fail("notFound", `Function ${functionId} does not exist.`);
        const numTotalTasks = await tx.containers.countOf(functionId);
        return { backlog: demand.queued, numRunningInputs: demand.claimed, numTotalTasks };
      }),
    ),
    classCreate: user((request, call) =>
      once(platform, call, ClassCreateResponseSchema, async (tx, context) => {
        const { appId, existingClassId: existingId } = request;
        const { id } = await defineClass(tx, { appId, existingId }, context);
        return { classId: id, handleMetadata: {} };
      }),
    ),
  };
}

/** A definition comes alone, or as the best of several when there is a choice of accelerators. */
function definitionIn(request: FunctionCreateRequest): Function {
  const definition = request.function ?? request.functionData?.rankedFunctions[0]?.function;
  if (definition === undefined) throw fail("invalidArgument", "The request defines no function.");
  return definition;
}

/** Better refused than ignored: what the containers of this version cannot give. */
function refuseUnsupported(definition: Function): void {
  const { functionName: name, resources } = definition;
  const missing = (what: string): never => {
    throw fail("unimplemented", `Function "${name}" asks for ${what}, which this version of Lydian does not have yet.`);
  };
  if (definition.secretIds.length > 0) missing("secrets");
  if (definition.volumeMounts.length > 0) missing("volumes");
  if (definition.webhookConfig !== undefined && definition.webhookConfig.type !== 0) missing("a web endpoint");
  if (definition.schedule !== undefined) missing("a schedule");
  if ((definition.retryPolicy?.retries ?? 0) > 0) missing("retries");
  if ((resources?.gpuConfig?.count ?? 0) > 0) missing("a GPU");
}

/** Which client defined a function decides which one runs in its containers, so it must be known. */
function clientVersionOf(call: Call): string {
  const version = call.clientVersion ?? "";
  if (!/^\d+\.\d+\.\d+[0-9a-z.+]*$/.test(version)) {
    throw fail("invalidArgument", `The client's version "${version}" is not a version.`);
  }
  return version;
}
