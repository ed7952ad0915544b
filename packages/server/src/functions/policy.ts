/** How a function scales, read from its definition; defaults as the clients document them. */
import type { Function } from "@lydian/contract";

import type { FunctionPolicy } from "../domain/function.ts";
import { noRetries, type RetryPolicy } from "../domain/retry.ts";

/** What a function gets that asks for nothing. */
const defaults = { milliCpu: 125, memoryMib: 128, scaledownMs: 60_000, startupMs: 300_000, timeoutMs: 300_000 };

const leastDefaultStartupMs = 60_000;

/** No function has more containers than this. */
const mostContainers = 1_000;

/**
 * `of` says which containers it is for. A class that takes arguments is only ever called through its variants, so of
 * itself it keeps no container.
 */
export function functionPolicy(definition: Function, of: "itself" | "variant" = "itself"): FunctionPolicy {
  const { autoscalerSettings: settings, resources } = definition;
  const scaledownSeconds = settings?.scaledownWindow ?? definition.taskIdleTimeoutSecs;
  const maxConcurrency = definition.maxConcurrentInputs || 1;
  const targetConcurrency = Math.min(definition.targetConcurrentInputs || maxConcurrency, maxConcurrency);
  const batchSize = definition.batchMaxSize;
  const takesArguments = (definition.classParameterInfo?.schema.length ?? 0) > 0;
  return {
    minContainers: takesArguments && of === "itself" ? 0 : (settings?.minContainers ?? definition.warmPoolSize),
    maxContainers: settings?.maxContainers || definition.concurrencyLimit || mostContainers,
    bufferContainers: settings?.bufferContainers ?? 0,
    scaledownMs: scaledownSeconds * 1000 || defaults.scaledownMs,
    maxConcurrency,
    targetConcurrency: targetConcurrency * (batchSize || 1),
    batchSize,
    singleUse: definition.singleUseContainers || definition.maxInputs === 1,
    retry: retryPolicy(definition),
    milliCpu: resources?.milliCpu || defaults.milliCpu,
    memoryMib: resources?.memoryMb || defaults.memoryMib,
    startupMs: startupMs(definition),
    timeoutMs: definition.timeoutSecs * 1000 || defaults.timeoutMs,
  };
}

/**
 * The clients say the timeout where nothing else was asked for. A short one is meant for inputs: it would not even let
 * the interpreter start on a busy machine.
 */
function startupMs({ startupTimeoutSecs, timeoutSecs }: Function): number {
  const asked = startupTimeoutSecs * 1000 || defaults.startupMs;
  return startupTimeoutSecs === timeoutSecs ? Math.max(asked, leastDefaultStartupMs) : asked;
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
