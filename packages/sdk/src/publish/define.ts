/** A function's definition as the wire has it. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  DataFormat,
  Function_DefinitionType as DefinitionType,
  Function_FunctionType as FunctionType,
  type FunctionCreateRequestSchema,
  FunctionSchema$,
  MethodDefinitionSchema,
  ResourcesSchema,
  SchedulerPlacementSchema,
  type WebhookConfig,
  WebhookConfigSchema,
  WebhookType,
} from "@lydian/contract";

import { isGenerator } from "../app.ts";
import {
  bucketMountsOf,
  concurrencyOf,
  gpusOf,
  resourcesOf,
  batchingOf,
  retryPolicyOf,
  secretIdsOf,
  volumeMountsOf,
  whole,
  wholeSeconds,
} from "../calls/variant.ts";
import { type Constructor, methodsIn, parametersOf } from "../class-definition.ts";
import { type Definition, formatSite, tagOf } from "../definition.ts";
import { InvalidError } from "../errors.ts";
import { Secret } from "../objects/secret.ts";
import type { AppPlace } from "../objects/place.ts";
import type { AppDefaults, FunctionOptions, WebOptions } from "../options.ts";

type Wire = Extract<MessageInitShape<typeof FunctionSchema$>, { $typeName?: never }>;

/** What the platform knows a function by that this package's runner runs, and not the Python client. */
const runtime = "node";

const usualTimeout = 300;

export interface Made {
  readonly appName: string;
  readonly imageId: string;
  readonly mountIds: readonly string[];
  /** The file that defines it, from the program's root. */
  readonly module: string;
}

type Request = Pick<MessageInitShape<typeof FunctionCreateRequestSchema>, "function" | "functionData">;

/** Throws an InvalidError that names the function, and where it is defined. */
export async function functionRequest(
  definition: Definition,
  defaults: AppDefaults,
  made: Made,
  place: AppPlace,
): Promise<Request> {
  try {
    return await requestOf(definition, defaults, made, place);
  } catch (error) {
    if (!(error instanceof InvalidError)) throw error;
    const { name = "", kind, site } = definition;
    const { hint } = error;
    const whose = `${kind} ${name}, at ${formatSite(site)}`;
    throw new InvalidError(`${error.message} (${whose})`, hint === undefined ? {} : { hint });
  }
}

async function requestOf(definition: Definition, defaults: AppDefaults, made: Made, place: AppPlace): Promise<Request> {
  const { options } = definition;
  const common = await wireOf(definition, defaults, made, place);
  const forms = gpusOf(options).map((gpu): Wire => ({
    ...common,
    resources: create(ResourcesSchema, resourcesOf(options, gpu)),
  }));
  const [only] = forms;
  if (only === undefined) throw new InvalidError(`gpu of ${definition.name} is an empty list`);
  if (forms.length === 1) return { function: only };
  return {
    functionData: {
      functionName: definition.name ?? "",
      rankedFunctions: forms.map((form, rank) => ({ rank, function: form })),
    },
  };
}

async function wireOf(definition: Definition, defaults: AppDefaults, made: Made, place: AppPlace): Promise<Wire> {
  const { options, name = "" } = definition;
  const batched = definition.batched ?? Object.values(definition.methods).find((each) => each.batched)?.batched;
  const { timeout = usualTimeout, startupTimeout, scaledownWindow, concurrent } = options;
  const retryPolicy = retryPolicyOf(options.retries);
  if (retryPolicy !== undefined && (isGenerator(definition) || definition.web !== undefined)) {
    throw new InvalidError(
      `${name} is a ${definition.web === undefined ? "generator" : "web function"}, which cannot be retried`,
      { hint: "leave out retries" },
    );
  }
  const env = { ...defaults.env, ...options.env };
  const volumes = { ...defaults.volumes, ...options.volumes };
  const secrets = [
    ...(defaults.secrets ?? []),
    ...(options.secrets ?? []),
    ...(Object.keys(env).length > 0 ? [Secret.fromObject(env)] : []),
  ];
  const scaledownSecs = scaledownWindow === undefined ? 0 : wholeSeconds(scaledownWindow, "scaledownWindow");
  return {
    runtime,
    ...(definition.kind === "class" && classOf(definition)),
    moduleName: made.module,
    functionName: tagOf(definition),
    appName: made.appName,
    definitionType: DefinitionType.FILE,
    functionType: isGenerator(definition) ? FunctionType.GENERATOR : FunctionType.FUNCTION,
    imageId: made.imageId,
    mountIds: [...made.mountIds],
    secretIds: await secretIdsOf(secrets, place),
    volumeMounts: await volumeMountsOf(volumes, place),
    cloudBucketMounts: await bucketMountsOf(volumes, place),
    timeoutSecs: wholeSeconds(timeout, "timeout"),
    startupTimeoutSecs: startupTimeout === undefined ? 0 : wholeSeconds(startupTimeout, "startupTimeout"),
    taskIdleTimeoutSecs: scaledownSecs,
    concurrencyLimit: whole(options.maxContainers ?? 0, "maxContainers"),
    warmPoolSize: whole(options.minContainers ?? 0, "minContainers"),
    autoscalerSettings: {
      ...(options.minContainers !== undefined && { minContainers: options.minContainers }),
      ...(options.maxContainers !== undefined && { maxContainers: options.maxContainers }),
      ...(options.bufferContainers !== undefined && {
        bufferContainers: whole(options.bufferContainers, "bufferContainers"),
      }),
      ...(scaledownSecs > 0 && { scaledownWindow: scaledownSecs }),
    },
    ...(retryPolicy && { retryPolicy }),
    ...(concurrent && concurrencyOf(concurrent)),
    ...(options.schedule && { schedule: options.schedule.wire }),
    ...(definition.web && { webhookConfig: webOf(definition.web) }),
    ...(batched && batchingOf(batched)),
    ...placementOf(options),
    ...(options.routingRegion !== undefined && { routingRegion: options.routingRegion }),
    ...(options.proxy && { proxyId: await options.proxy.id(place) }),
    ...(options.clustered && { ExperimentalGroupSize: whole(options.clustered.size, "clustered.size") }),
    checkpointingEnabled: options.enableMemorySnapshot ?? false,
    cloudProviderStr: options.cloud ?? "",
    blockNetwork: options.blockNetwork ?? false,
    singleUseContainers: options.singleUseContainers ?? false,
    ExperimentalConcurrentCancellations: true,
    ...formats,
  };
}

function placementOf({ region, nonpreemptible }: FunctionOptions): Wire {
  if (region === undefined && nonpreemptible === undefined) return {};
  const regions = region === undefined ? [] : Array.isArray(region) ? region : [region];
  return {
    schedulerPlacement: create(SchedulerPlacementSchema, {
      regions,
      ...(nonpreemptible !== undefined && { nonpreemptible }),
    }),
  };
}

function webOf({ label = "", customDomains = [], requiresProxyAuth = false }: WebOptions): WebhookConfig {
  return create(WebhookConfigSchema, {
    type: WebhookType.ASGI_APP,
    requestedSuffix: label,
    customDomains: customDomains.map((name) => ({ name })),
    requiresProxyAuth,
    ephemeralSuffix: "dev",
  });
}

const formats = {
  supportedInputFormats: [DataFormat.CBOR],
  supportedOutputFormats: [DataFormat.CBOR, DataFormat.GENERATOR_DONE],
};

function classOf({ handler, methods: options }: Definition): Wire {
  const constructor = handler as unknown as Constructor;
  const methods = [...methodsIn(constructor, options)].map(([functionName, generates]) => {
    const functionType = generates ? FunctionType.GENERATOR : FunctionType.FUNCTION;
    const web = options[functionName]?.webEndpoint;
    const own = { functionName, functionType, ...formats, ...(web && { webhookConfig: webOf(web) }) };
    return [functionName, create(MethodDefinitionSchema, own)] as const;
  });
  return {
    isClass: true,
    methodDefinitionsSet: true,
    methodDefinitions: Object.fromEntries(methods),
    classParameterInfo: parametersOf(constructor),
  };
}
