/** Options as the wire has them: of a definition, and of a variant that has others instead. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  CloudBucketMountSchema,
  FunctionOptionsSchema,
  FunctionRetryPolicySchema,
  ResourcesSchema,
  VolumeMountSchema,
} from "@lydian/contract";

import { mebibytes, seconds } from "../duration.ts";
import { InvalidError } from "../errors.ts";
import { CloudBucketMount } from "../objects/cloud-bucket.ts";
import type { AppPlace } from "../objects/place.ts";
import type { Secret } from "../objects/secret.ts";
import type { Volume } from "../objects/volume.ts";
import type { Batching, Concurrency, FunctionOptions, Gpu, ResourceOptions, Retries } from "../options.ts";

/** By path. */
type Mounted = Readonly<Record<string, Volume | CloudBucketMount>>;

type Resources = MessageInitShape<typeof ResourcesSchema>;

/** The first number is what is sure, the second the most; 0 is no word about it. */
function pair<T>(value: T | readonly [T, T] | undefined, read: (value: T) => number): [number, number] {
  if (value === undefined) return [0, 0];
  if (!Array.isArray(value)) return [read(value as T), 0];
  const [request, limit] = value as [T, T];
  return [read(request), read(limit)];
}

export function resourcesOf(
  { cpu, memory, ephemeralDisk }: Pick<FunctionOptions, "cpu" | "memory" | "ephemeralDisk">,
  gpu: Gpu | undefined,
): Resources {
  const [milliCpu, milliCpuMax] = pair(cpu, (cores) => Math.round(positive(cores, "cpu") * 1000));
  const [memoryMb, memoryMbMax] = pair(memory, (size) => mebibytes(size, "memory"));
  return {
    ...{ milliCpu, milliCpuMax, memoryMb, memoryMbMax },
    ephemeralDiskMb: ephemeralDisk === undefined ? 0 : mebibytes(ephemeralDisk, "ephemeralDisk"),
    ...(gpu !== undefined && { gpuConfig: gpuOf(gpu) }),
  };
}

function gpuOf(gpu: Gpu): { gpuType: string; count: number } {
  const [, kind = "", count = "1"] = /^([A-Za-z0-9-]+)(?::([1-9]\d?))?$/.exec(gpu) ?? [];
  if (kind === "") throw new InvalidError(`gpu is ${JSON.stringify(gpu)}, and has to be such as "H100" or "H100:8"`);
  return { gpuType: kind.toUpperCase(), count: Number(count) };
}

/** The kinds that are acceptable, the preferred one first; one undefined for none. */
export function gpusOf({ gpu }: Pick<ResourceOptions, "gpu">): readonly (Gpu | undefined)[] {
  return Array.isArray(gpu) ? gpu : [gpu];
}

export function retryPolicyOf(
  retries: number | Retries | undefined,
): MessageInitShape<typeof FunctionRetryPolicySchema> | undefined {
  if (retries === undefined || retries === 0) return undefined;
  const {
    maxRetries,
    backoffCoefficient,
    initialDelay = 1,
    maxDelay = 60,
  } = typeof retries === "number"
    ? { maxRetries: retries, backoffCoefficient: 1 }
    : { backoffCoefficient: 2, ...retries };
  return {
    retries: whole(maxRetries, "maxRetries"),
    backoffCoefficient,
    initialDelayMs: Math.round(seconds(initialDelay, "initialDelay") * 1000),
    maxDelayMs: Math.round(seconds(maxDelay, "maxDelay") * 1000),
  };
}

export async function volumeMountsOf(
  volumes: Mounted,
  place: AppPlace,
): Promise<MessageInitShape<typeof VolumeMountSchema>[]> {
  const found = Object.entries(volumes).map(async ([mountPath, volume]) => {
    if (!mountPath.startsWith("/"))
      throw new InvalidError(`volumes has ${JSON.stringify(mountPath)}, which is no absolute path`);
    if (volume instanceof CloudBucketMount) return [];
    const volumeId = await volume.id(place);
    return [{ volumeId, mountPath, allowBackgroundCommits: true, readOnly: volume.isReadOnly }];
  });
  return (await Promise.all(found)).flat();
}

export async function bucketMountsOf(
  volumes: Mounted,
  place: AppPlace,
): Promise<MessageInitShape<typeof CloudBucketMountSchema>[]> {
  const buckets = Object.entries(volumes).flatMap(([path, mount]) =>
    mount instanceof CloudBucketMount ? [mount.wire(path, place)] : [],
  );
  return await Promise.all(buckets);
}

export const secretIdsOf = (secrets: readonly Secret[], place: AppPlace): Promise<string[]> =>
  Promise.all(secrets.map((secret) => secret.id(place)));

/** What a variant of a function has instead of what it was defined with. */
export type Variant = ResourceOptions & { concurrent?: Concurrency; batched?: Batching };

/** What is left out stays. */
export async function variantOf(
  options: Variant,
  place: AppPlace,
): Promise<MessageInitShape<typeof FunctionOptionsSchema>> {
  const { secrets, volumes, concurrent, batched, timeout, scaledownWindow } = options;
  const hasResources = options.cpu !== undefined || options.memory !== undefined || options.gpu !== undefined;
  const retryPolicy = retryPolicyOf(options.retries);
  return {
    ...(hasResources && { resources: resourcesOf(options, gpusOf(options)[0]) }),
    ...(retryPolicy && { retryPolicy }),
    ...(timeout !== undefined && { timeoutSecs: wholeSeconds(timeout, "timeout") }),
    ...(scaledownWindow !== undefined && { taskIdleTimeoutSecs: wholeSeconds(scaledownWindow, "scaledownWindow") }),
    ...(options.minContainers !== undefined && { warmPoolSize: whole(options.minContainers, "minContainers") }),
    ...(options.maxContainers !== undefined && { concurrencyLimit: whole(options.maxContainers, "maxContainers") }),
    ...(options.bufferContainers !== undefined && {
      bufferContainers: whole(options.bufferContainers, "bufferContainers"),
    }),
    ...(concurrent && concurrencyOf(concurrent)),
    ...(batched && batchingOf(batched)),
    ...(secrets && { secretIds: await secretIdsOf(secrets, place), replaceSecretIds: true }),
    ...(volumes && {
      ...{ volumeMounts: await volumeMountsOf(volumes, place), replaceVolumeMounts: true },
      ...{ cloudBucketMounts: await bucketMountsOf(volumes, place), replaceCloudBucketMounts: true },
    }),
  };
}

export function concurrencyOf({ maxInputs, targetInputs = maxInputs }: Concurrency): {
  maxConcurrentInputs: number;
  targetConcurrentInputs: number;
} {
  return {
    maxConcurrentInputs: positive(whole(maxInputs, "maxInputs"), "maxInputs"),
    targetConcurrentInputs: whole(targetInputs, "targetInputs"),
  };
}

export function batchingOf({ maxBatchSize, waitMs }: Batching): { batchMaxSize: number; batchLingerMs: bigint } {
  return {
    batchMaxSize: positive(whole(maxBatchSize, "maxBatchSize"), "maxBatchSize"),
    batchLingerMs: BigInt(whole(waitMs, "waitMs")),
  };
}

/** The wire has whole seconds for limits; less than one is one. */
export function wholeSeconds(duration: Parameters<typeof seconds>[0], option: string): number {
  return Math.max(1, Math.round(seconds(duration, option)));
}

export function whole(value: number, option: string): number {
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new InvalidError(`${option} is ${value}, and has to be a whole number`);
}

function positive(value: number, option: string): number {
  if (Number.isFinite(value) && value > 0) return value;
  throw new InvalidError(`${option} is ${value}, and has to be more than 0`);
}
