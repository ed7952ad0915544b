/**
 * Every field that the wire has for a function, and what becomes of it: none is ignored in silence. A field that the wire
 * gains fails here until somebody has decided.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import {
  type DescField,
  type DescMessage,
  type MessageInitShape,
  ScalarType,
  create,
  equals,
} from "@bufbuild/protobuf";
import {
  AutoscalerSettingsSchema,
  FunctionOptionsSchema,
  FunctionRetryPolicySchema,
  FunctionSchema$,
  GPUConfigSchema,
  NetworkAccessSchema,
  NetworkAccess_NetworkAccessType as Access,
  ResourcesSchema,
  SchedulerPlacementSchema,
  WebhookAsyncMode,
  WebhookType,
} from "@lydian/contract";

import type { FunctionPolicy } from "../../src/domain/function.ts";
import { isFail } from "../../src/errors.ts";
import { withOptions } from "../../src/functions/options.ts";
import { functionPolicy } from "../../src/functions/policy.ts";
import { World, defaultImage, rpc } from "../support/world.ts";

type FunctionInit = MessageInitShape<typeof FunctionSchema$>;

/** A definition in which the field is set, where a value of its kind alone would mean nothing. */
type Asked = { set?: FunctionInit };

type Fate = Asked &
  (
    | { /** The definition is refused with these words. */ refused: string }
    | { /** It is accepted, and the client prints these words. */ warned: string }
    | { /** How the function is treated then. */ policy: Partial<FunctionPolicy> }
    | { /** Obeyed as well, by the file named. */ obeyed: string }
    | { /** For whom it is kept and handed on. */ carried: "container" | "client" | "both" }
    | { /** Why it asks for nothing. */ means: string }
  );

const place = { regions: [], cloud: "" };
const least = { milliCpu: 125, memoryMib: 128, ...place, gpus: [] };
const retries = { retries: 2, initialMs: 0, factor: 1, maxMs: 60_000 };
const usual = "start in the usual way";

const fates: Record<string, Fate> = {
  // What the code is.
  moduleName: { carried: "container" },
  functionName: { carried: "both" },
  implementationName: { carried: "container" },
  functionSerialized: { carried: "container" },
  classSerialized: { carried: "container" },
  definitionType: { carried: "container" },
  functionType: { carried: "both" },
  functionSchema: { carried: "both" },
  supportedInputFormats: { carried: "both" },
  supportedOutputFormats: { carried: "both" },
  isMethod: { carried: "both" },
  isClass: { carried: "both" },
  methodDefinitions: { carried: "both" },
  methodDefinitionsSet: { carried: "both" },
  classParameterInfo: { carried: "both" }, // and one that takes arguments keeps no containers (policy.ts)
  appName: { carried: "container" },
  experimentalOptions: { warned: "experimental options" },

  // What it stands on.
  imageId: { refused: "does not exist" }, // such an image; others: define.ts
  mountIds: { refused: "does not exist" },
  objectDependencies: { carried: "container" },
  mountClientDependencies: { means: "containers always have the client with its dependencies" },
  secretIds: { refused: "does not exist" }, // such a secret; others: define.ts
  volumeMounts: { refused: "does not exist" }, // such a volume; others: volumes/mounts.ts
  sharedVolumeMounts: { refused: "a network file system" },
  cloudBucketMounts: {
    set: { cloudBucketMounts: [{ bucketName: "data", mountPath: "/b", credentialsSecretId: "st-none" }] },
    refused: "does not exist", // such a secret; others: volumes/buckets.ts
  },
  s3Mounts: { refused: "a bucket of S3" },
  proxyId: { warned: "a proxy" },
  ExperimentalProxyIp: { warned: "a proxy" },

  // What it is given.
  "resources.memoryMb": { policy: { needs: { ...least, memoryMib: 2 } } },
  "resources.milliCpu": { policy: { needs: { ...least, milliCpu: 2 }, milliCpuLimit: 16_002 } },
  "resources.gpuConfig.count": {
    set: { resources: { gpuConfig: { count: 2 } } },
    policy: { needs: { ...least, gpus: [{ kind: "ANY", count: 2 }] } },
  },
  "resources.gpuConfig.gpuType": {
    set: { resources: { gpuConfig: { count: 1, gpuType: "L4" } } },
    policy: { needs: { ...least, gpus: [{ kind: "L4", count: 1 }] } },
  },
  "resources.gpuConfig.type": { means: "gpuType has its name" },
  "resources.memoryMbMax": { policy: { memoryLimitMib: 2 } },
  "resources.ephemeralDiskMb": { policy: { diskLimitMib: 2 } },
  "resources.milliCpuMax": { policy: { milliCpuLimit: 2 } },
  "resources.rdma": { warned: "RDMA" },
  "resources.skipNumThreadsEnvVars": { obeyed: "workers/spec.ts" },
  "schedulerPlacement.regions": { policy: { needs: { ...least, regions: ["x"] } } },
  "schedulerPlacement.Zone": { warned: "a zone or a type of machine" },
  "schedulerPlacement.InstanceTypes": { warned: "a zone or a type of machine" },
  "schedulerPlacement.Lifecycle": {
    set: { schedulerPlacement: { Lifecycle: "on-demand" } },
    warned: "not preempted",
  },
  "schedulerPlacement.nonpreemptible": { warned: "not preempted" },
  cloudProviderStr: { policy: { needs: { ...least, cloud: "x" } } },
  cloudProvider: { means: "cloudProviderStr has its name" },
  workerId: { warned: "a certain worker" },
  runtime: { warned: "a runtime of its own" },
  runtimeDebug: { warned: "a record of what its runtime does" },
  runtimePerfRecord: { warned: "a record of what its runtime does" },
  snapshotDebug: { warned: "a record of what its runtime does" },

  // What it may reach, and how it is reached.
  blockNetwork: { policy: { network: { restricted: true, allowedCidrs: [] } } },
  "networkAccess.networkAccessType": {
    set: { networkAccess: { networkAccessType: Access.BLOCKED } },
    policy: { network: { restricted: true, allowedCidrs: [] } },
  },
  "networkAccess.allowedCidrs": {
    set: { networkAccess: { networkAccessType: Access.ALLOWLIST, allowedCidrs: ["10.1.0.0/16"] } },
    policy: { network: { restricted: true, allowedCidrs: ["10.1.0.0/16"] } },
  },
  "networkAccess.allowedDomains": { refused: "open to domains by name" },
  untrusted: { policy: { restricted: true } },
  i6pnEnabled: { warned: "a private network between containers" },
  // It gets an address, which web/endpoints.test.ts knows.
  webhookConfig: {
    set: { webhookConfig: { type: WebhookType.FUNCTION, asyncMode: WebhookAsyncMode.TRIGGER } },
    refused: "answers before it has run",
  },
  webUrl: { carried: "client" },
  webUrlInfo: { carried: "client" },
  customDomainInfo: { carried: "client" },
  // It gets an address, too.
  isServer: { set: { isServer: true, httpConfig: { h2Enabled: true } }, refused: "a server of HTTP/2" },
  httpConfig: { refused: "an HTTP server" },
  isSessioned: { refused: "sessions" },
  routingRegion: { warned: "requests that enter in a region" },
  flashServiceUrls: { warned: "addresses of its own" },
  flashServiceLabel: { warned: "addresses of its own" },
  ptyInfo: { set: { ptyInfo: { enabled: true } }, warned: "a terminal" },

  // When it runs, how often, how long.
  schedule: { obeyed: "schedules/arrange.ts" },
  timeoutSecs: { policy: { timeoutMs: 2_000 } },
  startupTimeoutSecs: { policy: { startupMs: 2_000 } },
  "retryPolicy.retries": { policy: { retry: retries } },
  "retryPolicy.initialDelayMs": {
    set: { retryPolicy: { retries: 2, initialDelayMs: 7 } },
    policy: { retry: { ...retries, initialMs: 7 } },
  },
  "retryPolicy.backoffCoefficient": {
    set: { retryPolicy: { retries: 2, backoffCoefficient: 3 } },
    policy: { retry: { ...retries, factor: 3 } },
  },
  "retryPolicy.maxDelayMs": {
    set: { retryPolicy: { retries: 2, maxDelayMs: 9 } },
    policy: { retry: { ...retries, maxMs: 9 } },
  },
  rateLimit: { set: { rateLimit: { limit: 2 } }, warned: "a rate limit" },
  isBuilderFunction: { means: "the image that is made with it says so" },

  // How many containers it has, and what each of them takes.
  warmPoolSize: { policy: { minContainers: 2 } },
  concurrencyLimit: { policy: { maxContainers: 2 } },
  taskIdleTimeoutSecs: { policy: { scaledownMs: 2_000 } },
  ExperimentalBufferContainers: { policy: { bufferContainers: 2 } },
  "autoscalerSettings.minContainers": { policy: { minContainers: 2 } },
  "autoscalerSettings.maxContainers": { policy: { maxContainers: 2 } },
  "autoscalerSettings.bufferContainers": { policy: { bufferContainers: 2 } },
  "autoscalerSettings.scaledownWindow": { policy: { scaledownMs: 2_000 } },
  "autoscalerSettings.scaleupWindow": { warned: "a pace or a target of its own" },
  "autoscalerSettings.scaledownRateLimit": { warned: "a pace or a target of its own" },
  "autoscalerSettings.targetConcurrency": { warned: "a pace or a target of its own" },
  "autoscalerSettings.targetConcurrencyFloat": { warned: "a pace or a target of its own" },
  ExperimentalCustomScaling: { warned: "experimental scaling" },
  maxConcurrentInputs: { policy: { maxConcurrency: 2, targetConcurrency: 2 } },
  targetConcurrentInputs: {
    set: { maxConcurrentInputs: 4, targetConcurrentInputs: 2 },
    policy: { maxConcurrency: 4, targetConcurrency: 2 },
  },
  batchMaxSize: { policy: { batchSize: 2, targetConcurrency: 2 } },
  batchLingerMs: { carried: "container" }, // which asks for its batches with it
  singleUseContainers: { policy: { singleUse: true } },
  maxInputs: { warned: "containers that end after several inputs" }, // after one: singleUse
  ExperimentalConcurrentCancellations: { means: "cancelling one of several inputs is what always happens" },
  ExperimentalTaskTemplatesEnabled: { warned: "containers of several kinds" },
  ExperimentalTaskTemplates: { warned: "containers of several kinds" },
  ExperimentalGroupSize: { refused: "a cluster of containers" },
  ExperimentalFabricSize: { refused: "containers that share a fast network" },

  // Snapshots.
  checkpointingEnabled: { warned: "memory snapshots" },
  isAutoSnapshot: { warned: usual },
  enableGpuSnapshot: { warned: "snapshots of GPU memory" },
  ExperimentalEnableGpuSnapshot: { warned: "snapshots of GPU memory" },
  isCheckpointingFunction: { means: "a server tells its own containers so; here none is one" },
  checkpoint: { means: "a server tells its own containers so; here none starts from one" },
};

/** What each option changes in the definition. */
const optionFates: Record<string, readonly (keyof FunctionInit)[]> = {
  secretIds: ["secretIds"],
  replaceSecretIds: ["secretIds"],
  mountIds: ["mountIds"],
  resources: ["resources"],
  retryPolicy: ["retryPolicy"],
  concurrencyLimit: ["concurrencyLimit", "autoscalerSettings"],
  timeoutSecs: ["timeoutSecs"],
  taskIdleTimeoutSecs: ["taskIdleTimeoutSecs", "autoscalerSettings"],
  warmPoolSize: ["warmPoolSize", "autoscalerSettings"],
  bufferContainers: ["autoscalerSettings"],
  volumeMounts: ["volumeMounts"],
  replaceVolumeMounts: ["volumeMounts"],
  cloudBucketMounts: ["cloudBucketMounts"],
  replaceCloudBucketMounts: ["cloudBucketMounts"],
  maxConcurrentInputs: ["maxConcurrentInputs"],
  targetConcurrentInputs: ["targetConcurrentInputs"],
  batchMaxSize: ["batchMaxSize"],
  batchLingerMs: ["batchLingerMs"],
  schedulerPlacement: ["schedulerPlacement"],
  cloudProviderStr: ["cloudProviderStr"],
  routingRegion: ["routingRegion"],
  pinnedAppVersion: [], // it is another base: functions/pinned.ts
};

/** Messages whose fields are decided about one by one. */
const opened: ReadonlySet<DescMessage> = new Set<DescMessage>([
  ResourcesSchema,
  GPUConfigSchema,
  SchedulerPlacementSchema,
  AutoscalerSettingsSchema,
  FunctionRetryPolicySchema,
  NetworkAccessSchema,
]);

type Path = readonly [DescField, ...DescField[]];

function paths(message: DescMessage): Path[] {
  return message.fields.flatMap((field): Path[] =>
    field.fieldKind === "message" && opened.has(field.message)
      ? paths(field.message).map((rest) => [field, ...rest])
      : [[field]],
  );
}

const nameOf = (path: Path): string => path.map(({ localName }) => localName).join(".");

/** Something that is not the field's default. */
function someValue(field: DescField): unknown {
  const one = field.message === undefined ? scalar(field) : {};
  if (field.fieldKind === "list") return [one];
  return field.fieldKind === "map" ? { x: one } : one;
}

function scalar(field: DescField): unknown {
  if (field.enum !== undefined) return field.enum.values[1]?.number;
  switch (field.scalar) {
    case ScalarType.BOOL:
      return true;
    case ScalarType.STRING:
      return "x";
    case ScalarType.BYTES:
      return new Uint8Array([1]);
    case ScalarType.UINT64:
      return 2n;
    default:
      return 2;
  }
}

function settingOf([field, ...rest]: readonly DescField[]): Record<string, unknown> {
  assert.ok(field);
  return { [field.localName]: rest.length === 0 ? someValue(field) : settingOf(rest) };
}

/** The message in which a field is set, or as it is told to be. */
const asked = (path: Path, { set }: Asked): FunctionInit => set ?? settingOf(path);

const all = paths(FunctionSchema$);

describe("every field of a function", () => {
  it("is decided about, and nothing else is", () => {
    assert.deepEqual(Object.keys(fates).toSorted(), all.map(nameOf).toSorted());
  });

  it("does, when a client defines a function with it, what the list says", async () => {
    await using world = await World.begin();
    const { imageId } = await world.asUser(rpc.imageGetOrCreate, { image: defaultImage });
    const define = async (init: FunctionInit): Promise<string[]> => {
      const definition = { imageId, ...init };
      const { functionId, serverWarnings } = await world.asUser(rpc.functionCreate, {
        appId: world.appId,
        function: definition,
      });
      const kept = (await world.asUser(rpc.functionGetById, { functionId })).function?.rankedFunctions[0]?.function;
      assert.ok(
        kept && equals(FunctionSchema$, kept, create(FunctionSchema$, definition)),
        "it is handed on as it was",
      );
      return serverWarnings.map(({ message }) => message);
    };
    const plain = functionPolicy(create(FunctionSchema$));
    for (const path of all) {
      const name = nameOf(path);
      const fate = fates[name] ?? assert.fail(name);
      const init = asked(path, fate);
      if ("refused" in fate) {
        await assert.rejects(define(init), (error) => {
          assert.ok(isFail(error, "unimplemented") || isFail(error, "notFound"), `${name}: ${String(error)}`);
          return error.message.includes(fate.refused) || assert.fail(`${name}: ${error.message}`);
        });
        continue;
      }
      const warnings = await define(init);
      const policy = functionPolicy(create(FunctionSchema$, init));
      if ("warned" in fate) {
        assert.equal(warnings.length, 1, name);
        assert.ok(warnings[0]?.includes(fate.warned), `${name}: ${warnings[0]}`);
      } else assert.deepEqual(warnings, [], name);
      if ("policy" in fate) assert.notDeepEqual(policy, plain, `${name} changes nothing`);
      assert.deepEqual(policy, { ...plain, ...("policy" in fate && fate.policy) }, name);
    }
  });
});

describe("every option of a variant", () => {
  const options = paths(FunctionOptionsSchema).map(([field]) => field);

  it("is decided about, and nothing else is", () => {
    const names = options.map(({ localName }) => localName);
    assert.deepEqual(Object.keys(optionFates).toSorted(), [...new Set(names)].toSorted());
  });

  it("changes the definition as the list says, and nothing beside", () => {
    const base = create(FunctionSchema$, {
      secretIds: ["st-1"],
      volumeMounts: [{ volumeId: "vo-1" }],
      cloudBucketMounts: [{ bucketName: "b" }],
    });
    const same = withOptions(base, create(FunctionOptionsSchema));
    for (const [name, changes] of Object.entries(optionFates)) {
      if (changes.length === 0) continue;
      const field = FunctionOptionsSchema.fields.find(({ localName }) => localName === name) ?? assert.fail(name);
      const made = withOptions(base, create(FunctionOptionsSchema, { [name]: someValue(field) }));
      const differs = FunctionSchema$.fields.filter(
        ({ localName }) =>
          !equals(
            FunctionSchema$,
            create(FunctionSchema$, { [localName]: made[localName as keyof typeof made] }),
            create(FunctionSchema$, { [localName]: same[localName as keyof typeof same] }),
          ),
      );
      assert.deepEqual(differs.map(({ localName }) => localName).toSorted(), [...changes].toSorted(), name);
    }
  });

  it("or says which version of its app is meant, which has to be there", async () => {
    await using world = await World.begin();
    const request = { functionId: world.functionId, functionOptions: { pinnedAppVersion: 2 } };
    await assert.rejects(
      world.asUser(rpc.functionBindParams, request),
      (error) => isFail(error, "notFound") && /has no version v2/.test(error.text),
    );
  });
});
