/** How a function scales, read from its definition; defaults as the clients document them. */
import type { Function } from "@lydian/contract";

import type { ScalingPolicy } from "../domain/function.ts";

/** What a function gets that asks for nothing. */
const defaults = { milliCpu: 125, memoryMib: 128, scaledownMs: 60_000, startupMs: 300_000, timeoutMs: 300_000 };

/** No function has more containers than this. */
const mostContainers = 1_000;

export function scalingPolicy(definition: Function): ScalingPolicy {
  const { autoscalerSettings: settings, resources } = definition;
  const scaledownSeconds = settings?.scaledownWindow ?? definition.taskIdleTimeoutSecs;
  return {
    minContainers: settings?.minContainers ?? definition.warmPoolSize,
    maxContainers: settings?.maxContainers || definition.concurrencyLimit || mostContainers,
    bufferContainers: settings?.bufferContainers ?? 0,
    scaledownMs: scaledownSeconds * 1000 || defaults.scaledownMs,
    concurrency: 1,
    milliCpu: resources?.milliCpu || defaults.milliCpu,
    memoryMib: resources?.memoryMb || defaults.memoryMib,
    startupMs: definition.startupTimeoutSecs * 1000 || defaults.startupMs,
    timeoutMs: definition.timeoutSecs * 1000 || defaults.timeoutMs,
  };
}
