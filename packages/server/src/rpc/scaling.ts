/** How functions scale: looked at and changed from outside. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type AutoscalerSettings,
  type AutoscalerSettingsSchema,
  FunctionUpdateSchedulingParamsResponseSchema,
  type ModalClient,
} from "@lydian/contract";

import type { FunctionPolicy } from "../domain/function.ts";
import { fail } from "../errors.ts";
import { decodeDefinition } from "../functions/definition.ts";
import { containerLimit, functionPolicy, mostContainers } from "../functions/policy.ts";
import { changeScaling, type ScalingChange } from "../functions/scaling.ts";
import { type Rpcs, userOrContainer } from "./adapter-access.ts";
import { type Platform, once } from "./platform.ts";

export function scalingRpcs(platform: Platform): Rpcs<typeof ModalClient> {
  const { store } = platform;
  return {
    functionUpdateSchedulingParams: userOrContainer((request, call) =>
      once(platform, call, FunctionUpdateSchedulingParamsResponseSchema, async (tx) => {
        const { functionId, settings, warmPoolSizeOverride } = request;
        const change = settings ? changeOf(settings) : { minContainers: warmPoolSizeOverride };
        return { currentSettings: toWire(await changeScaling(tx, functionId, change)) };
      }),
    ),
    functionGetSchedulingParams: userOrContainer(({ functionId }) =>
      store.read(async (tx) => {
        const record = await tx.functions.get(functionId);
        if (record === undefined) throw fail("notFound", `Function ${functionId} does not exist.`);
        const defined = functionPolicy(decodeDefinition(record), record.binding ? "variant" : "itself");
        const settings = toWire(record.policy);
        return { autoscalerConfiguration: { settings, staticSettings: toWire(defined) } };
      }),
    ),
    functionGetCurrentStats: userOrContainer(({ functionId }) =>
      store.read(async (tx) => {
        const demand = await tx.functions.demand(functionId);
        if (demand === undefined) throw fail("notFound", `Function ${functionId} does not exist.`);
        const containers = await tx.containers.countOf(functionId);
        const { queued, claimed, delayed, policy } = demand;
        return {
          backlog: queued + delayed,
          numRunningInputs: claimed,
          numTotalTasks: containers,
          inputHeadroom: Math.max(0, containers * policy.targetConcurrency - claimed),
        };
      }),
    ),
  };
}

function changeOf({
  minContainers,
  maxContainers,
  bufferContainers,
  scaledownWindow,
}: AutoscalerSettings): ScalingChange {
  return {
    ...(minContainers !== undefined && { minContainers }),
    ...(maxContainers !== undefined && { maxContainers: containerLimit(maxContainers) }),
    ...(bufferContainers !== undefined && { bufferContainers }),
    ...(scaledownWindow !== undefined && { scaledownMs: scaledownWindow * 1000 }),
  };
}

function toWire(policy: FunctionPolicy): MessageInitShape<typeof AutoscalerSettingsSchema> {
  const { minContainers, bufferContainers, scaledownMs } = policy;
  const maxContainers = policy.maxContainers === mostContainers ? 0 : policy.maxContainers;
  return { minContainers, maxContainers, bufferContainers, scaledownWindow: Math.round(scaledownMs / 1000) };
}
