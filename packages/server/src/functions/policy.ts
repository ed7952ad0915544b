/** How a function scales, read from its definition; defaults as the clients document them. */
import { type Function, NetworkAccess_NetworkAccessType } from "@lydian/contract";

import type { FunctionPolicy, NetworkPolicy } from "../domain/function.ts";
import { noRetries, type RetryPolicy } from "../domain/retry.ts";
import type { Gpus, Needs } from "../domain/worker.ts";

/** What a function gets that asks for nothing. */
const defaults = {
  milliCpu: 125,
  milliCpuAbove: 16_000,
  memoryMib: 128,
  scaledownMs: 60_000,
  startupMs: 300_000,
  timeoutMs: 300_000,
};

const leastDefaultStartupMs = 60_000;

/** No function has more containers than this, whatever it asks for. */
export const mostContainers = 1_000;

/** A server that says nothing of it is given as many requests at a time, each of which may take so long. */
const mostRequests = 10_000;
const serverTimeoutMs = 3_600_000;

/**
 * `of` says which containers it is for. A class that takes arguments is only ever called through its variants, so of
 * itself it keeps no container.
 */
export function functionPolicy(
  definition: Function,
  of: "itself" | "variant" = "itself",
  gpus: readonly Gpus[] = gpusOf([definition]),
): FunctionPolicy {
  const { autoscalerSettings: settings, resources } = definition;
  const scaledownSeconds = settings?.scaledownWindow ?? definition.taskIdleTimeoutSecs;
  const maxConcurrency = definition.maxConcurrentInputs || (definition.isServer ? mostRequests : 1);
  const asked = definition.isServer
    ? Math.ceil(settings?.targetConcurrencyFloat ?? 0)
    : definition.targetConcurrentInputs;
  const targetConcurrency = Math.min(asked || maxConcurrency, maxConcurrency);
  const batchSize = definition.batchMaxSize;
  const milliCpu = resources?.milliCpu || defaults.milliCpu;
  const takesArguments = (definition.classParameterInfo?.schema.length ?? 0) > 0;
  return {
    minContainers: takesArguments && of === "itself" ? 0 : (settings?.minContainers ?? definition.warmPoolSize),
    maxContainers: containerLimit(settings?.maxContainers || definition.concurrencyLimit),
    bufferContainers: settings?.bufferContainers ?? definition.ExperimentalBufferContainers,
    scaledownMs: scaledownSeconds * 1000 || defaults.scaledownMs,
    maxConcurrency,
    targetConcurrency: targetConcurrency * (batchSize || 1),
    batchSize,
    singleUse: definition.singleUseContainers || definition.maxInputs === 1,
    retry: retryPolicy(definition),
    needs: { milliCpu, memoryMib: resources?.memoryMb || defaults.memoryMib, ...placeOf(definition), gpus },
    milliCpuLimit: resources?.milliCpuMax || milliCpu + defaults.milliCpuAbove,
    memoryLimitMib: resources?.memoryMbMax ?? 0,
    diskLimitMib: resources?.ephemeralDiskMb ?? 0,
    network: networkPolicy(definition),
    restricted: definition.untrusted,
    startupMs: startupMs(definition),
    timeoutMs: definition.isServer ? serverTimeoutMs : definition.timeoutSecs * 1000 || defaults.timeoutMs,
  };
}

/** On the wire no limit is 0. */
export function containerLimit(asked: number): number {
  return Math.min(asked || mostContainers, mostContainers);
}

/**
 * The clients say the timeout where nothing else was asked for. A short one is meant for inputs: it would not even let
 * the interpreter start on a busy machine.
 */
function startupMs({ startupTimeoutSecs, timeoutSecs }: Function): number {
  const asked = startupTimeoutSecs * 1000 || defaults.startupMs;
  return startupTimeoutSecs === timeoutSecs ? Math.max(asked, leastDefaultStartupMs) : asked;
}

/** What each of a function's forms asks for, the preferred one first. */
export function gpusOf(forms: readonly Function[]): Gpus[] {
  return forms.flatMap(({ resources }) => {
    const { gpuType: kind = "", count = 0 } = resources?.gpuConfig ?? {};
    return count > 0 ? [{ kind: kind === "" ? "ANY" : kind, count }] : [];
  });
}

function placeOf({ schedulerPlacement, cloudProviderStr }: Function): Pick<Needs, "regions" | "cloud"> {
  const cloud = cloudProviderStr === "auto" ? "" : cloudProviderStr; // the platform chooses
  return { regions: schedulerPlacement?.regions ?? [], cloud };
}

function networkPolicy({ blockNetwork, networkAccess }: Function): NetworkPolicy {
  const type = networkAccess?.networkAccessType;
  const restricted =
    blockNetwork ||
    type === NetworkAccess_NetworkAccessType.BLOCKED ||
    type === NetworkAccess_NetworkAccessType.ALLOWLIST;
  const allowedCidrs = type === NetworkAccess_NetworkAccessType.ALLOWLIST ? (networkAccess?.allowedCidrs ?? []) : [];
  return { restricted, allowedCidrs: allowedCidrs.filter((cidr) => !cidr.includes(":")) }; // no container has IPv6
}

function retryPolicy({ retryPolicy: asked }: Function): RetryPolicy {
  if (asked === undefined || asked.retries === 0) return noRetries;
  return {
    retries: asked.retries,
    initialMs: asked.initialDelayMs,
    factor: asked.backoffCoefficient || 1,
    maxMs: asked.maxDelayMs || noRetries.maxMs,
  };
}
