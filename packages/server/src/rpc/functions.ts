/** Functions and classes: reserve, define. */
import { create } from "@bufbuild/protobuf";
import {
  ClassCreateResponseSchema,
  type Function,
  FunctionBindParamsResponseSchema,
  type FunctionCreateRequest,
  FunctionCreateResponseSchema,
  FunctionPrecreateResponseSchema,
  FunctionSchema$,
  type ModalClient,
  Warning_WarningType,
} from "@lydian/contract";

import { fail } from "../errors.ts";
import { defineClass, defineFunction, reserveFunction } from "../functions/define.ts";
import { checkFit } from "../functions/fit.ts";
import { functionPolicy, gpusOf } from "../functions/policy.ts";
import { reviewDefinition } from "../functions/review.ts";
import { addressed, nameEndpoints, takenAddresses } from "../web/endpoints.ts";
import { bindFunction } from "../functions/bind.ts";
import { decodeDefinition } from "../functions/definition.ts";
import { functionData, functionHandle } from "../functions/handle.ts";
import { checkSchedule } from "../schedules/rule.ts";
import { type Rpcs, user, userOrContainer } from "./adapter-access.ts";
import type { Call } from "./adapter-call.ts";
import { type Platform, once } from "./platform.ts";

export function functionRpcs(platform: Platform): Rpcs<typeof ModalClient> {
  const { config } = platform;
  const { strictResources: strict } = config;
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
        const forms = formsIn(request);
        const [definition] = forms;
        const concessions = reviewDefinition(definition);
        checkSchedule(definition, context.now);
        const policy = functionPolicy(definition, "itself", gpusOf(forms));
        const lacking = checkFit(definition, policy, platform.sessions.workers(), { strict });
        const { appId, existingFunctionId: existingId } = request;
        const clientVersion = clientVersionOf(call);
        const named = await nameEndpoints(tx, definition, { appId, settings: config });
        const defined = { appId, definition: named.definition, policy, existingId, clientVersion };
        const record = await defineFunction(tx, defined, context);
        const shown = addressed(named.definition, config, await takenAddresses(tx, record.id, named.addresses));
        return {
          functionId: record.id,
          function: shown,
          functionData: functionData(shown),
          handleMetadata: functionHandle(record, shown),
          serverWarnings: [
            ...concessions.map((message) => ({ type: Warning_WarningType.FUNCTION_CONFIGURATION, message })),
            ...lacking.map((message) => ({ type: Warning_WarningType.RESOURCE_LIMIT, message })),
          ],
        };
      }),
    ),
    functionBindParams: userOrContainer((request, call) =>
      once(platform, call, FunctionBindParamsResponseSchema, async (tx, context) => {
        const { functionId, serializedParams: parameters, functionOptions: options } = request;
        const record = await bindFunction(tx, { functionId, parameters, options }, context);
        const definition = addressed(decodeDefinition(record), config);
        const warnings = [
          ...reviewDefinition(definition),
          ...checkFit(definition, record.policy, platform.sessions.workers(), { strict }),
        ];
        if (options !== undefined) for (const text of warnings) call.warn(text); // else the base was warned of already
        return { boundFunctionId: record.id, handleMetadata: functionHandle(record, definition) };
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

/** A definition comes alone, or in several forms, the preferred one first, when there is a choice of accelerators. */
function formsIn({ function: alone, functionData: data }: FunctionCreateRequest): [Function, ...Function[]] {
  const ranked = (data?.rankedFunctions ?? []).toSorted((a, b) => a.rank - b.rank);
  const forms = ranked.flatMap(({ function: form }) => (form === undefined ? [] : [form]));
  const [first = alone, ...others] = forms;
  if (first === undefined) throw fail("invalidArgument", "The request defines no function.");
  return [first, ...others];
}

/** Which client defined a function decides which one runs in its containers, so it must be known. */
function clientVersionOf(call: Call): string {
  const version = call.clientVersion ?? "";
  if (!/^\d+\.\d+\.\d+[0-9a-z.+]*$/.test(version)) {
    throw fail("invalidArgument", `The client's version "${version}" is not a version.`);
  }
  return version;
}
