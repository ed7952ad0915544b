/** A definition with other options than it was written with: how variants of a function differ from it. */
import { clone } from "@bufbuild/protobuf";
import { type Function, type FunctionOptions, FunctionSchema$ } from "@lydian/contract";

/** What is absent in the options stays as it is, but a variant does not inherit containers that are always kept. */
export function withOptions(base: Function, options: FunctionOptions): Function {
  const made = clone(FunctionSchema$, base);
  const settings = { ...made.autoscalerSettings };
  const { warmPoolSize = 0, concurrencyLimit, bufferContainers, taskIdleTimeoutSecs } = options;
  made.warmPoolSize = warmPoolSize;
  settings.minContainers = warmPoolSize;
  if (concurrencyLimit !== undefined) made.concurrencyLimit = settings.maxContainers = concurrencyLimit;
  if (bufferContainers !== undefined) settings.bufferContainers = bufferContainers;
  if (taskIdleTimeoutSecs !== undefined) made.taskIdleTimeoutSecs = settings.scaledownWindow = taskIdleTimeoutSecs;
  made.autoscalerSettings = { $typeName: "modal.client.AutoscalerSettings", ...settings };
  if (options.resources) made.resources = options.resources;
  if (options.retryPolicy) made.retryPolicy = options.retryPolicy;
  if (options.schedulerPlacement) made.schedulerPlacement = options.schedulerPlacement;
  made.cloudProviderStr = options.cloudProviderStr ?? made.cloudProviderStr;
  made.routingRegion = options.routingRegion ?? made.routingRegion;
  made.timeoutSecs = options.timeoutSecs ?? made.timeoutSecs;
  if (options.maxConcurrentInputs !== undefined) {
    made.maxConcurrentInputs = options.maxConcurrentInputs;
    made.targetConcurrentInputs = 0; // which is the same: the base's goes with its maximum
  }
  made.targetConcurrentInputs = options.targetConcurrentInputs ?? made.targetConcurrentInputs;
  made.batchMaxSize = options.batchMaxSize ?? made.batchMaxSize;
  made.batchLingerMs = options.batchLingerMs ?? made.batchLingerMs;
  if (options.replaceSecretIds || options.secretIds.length > 0) made.secretIds = options.secretIds;
  if (options.replaceVolumeMounts || options.volumeMounts.length > 0) made.volumeMounts = options.volumeMounts;
  if (options.replaceCloudBucketMounts || options.cloudBucketMounts.length > 0) {
    made.cloudBucketMounts = options.cloudBucketMounts;
  }
  if (options.mountIds.length > 0) made.mountIds = [...made.mountIds, ...options.mountIds];
  return made;
}
