/**
 * What a definition asks for that it does not get here: refused where code would not run as meant, accepted with a warning
 * where it runs all the same. Nothing is ignored in silence.
 */
import { isIPv4, isIPv6 } from "node:net";

import { type Function, WebhookAsyncMode } from "@lydian/contract";

import { nodeRuntime } from "../domain/function.ts";
import { type FailOptions, fail } from "../errors.ts";

interface Rule {
  /** The wire's field that asks for it. */
  field: keyof Function;
  asks: (definition: Function) => boolean;
  /** Completes "Function "f" asks for …". */
  what: string;
}

interface Refusal extends Rule {
  hint?: string;
}

interface Concession extends Rule {
  /** A sentence: what happens instead. */
  instead: string;
}

const given =
  (field: keyof Function) =>
  (definition: Function): boolean => {
    const value = definition[field];
    return Array.isArray(value)
      ? value.length > 0
      : value !== undefined && value !== "" && value !== 0 && value !== false;
  };

export const refusals: readonly Refusal[] = [
  {
    field: "cloudBucketMounts",
    asks: ({ cloudBucketMounts }) => cloudBucketMounts.some(({ oidcAuthRoleArn = "" }) => oidcAuthRoleArn !== ""),
    what: "a cloud bucket that is opened by a role of its own",
    hint: "Give the bucket a secret with a key, instead of oidc_auth_role_arn",
  },
  {
    field: "s3Mounts",
    asks: given("s3Mounts"),
    what: "a bucket of S3 as old clients mounted it",
    hint: "Use modal.CloudBucketMount",
  },
  {
    field: "sharedVolumeMounts",
    asks: given("sharedVolumeMounts"),
    what: "a network file system",
    hint: "Use a volume instead",
  },
  {
    field: "webhookConfig",
    asks: ({ webhookConfig }) => webhookConfig?.asyncMode === WebhookAsyncMode.TRIGGER,
    what: "a web endpoint that answers before it has run",
    hint: "Let the endpoint `spawn` another function, and answer",
  },
  {
    field: "httpConfig",
    asks: ({ httpConfig, isServer }) => httpConfig !== undefined && !isServer,
    what: "an HTTP server",
    hint: "Use app.server",
  },
  {
    field: "httpConfig",
    asks: ({ httpConfig }) => httpConfig?.h2Enabled === true,
    what: "a server of HTTP/2",
    hint: "Leave h2_enabled out",
  },
  {
    field: "httpConfig",
    asks: ({ httpConfig }) => httpConfig?.liftAndShiftConfig !== undefined,
    what: "a server that its image's own command starts",
    hint: "Start it in a method with @modal.enter",
  },
  { field: "isSessioned", asks: given("isSessioned"), what: "sessions" },
  {
    field: "ExperimentalGroupSize",
    asks: ({ ExperimentalGroupSize: size }) => size > 1,
    what: "a cluster of containers",
  },
  {
    field: "ExperimentalFabricSize",
    asks: ({ ExperimentalFabricSize: size }) => size > 1,
    what: "containers that share a fast network",
  },
  {
    field: "networkAccess",
    asks: ({ networkAccess }) => (networkAccess?.allowedDomains.length ?? 0) > 0,
    what: "a network that is open to domains by name",
    hint: "Allow their addresses by CIDR instead",
  },
  {
    field: "networkAccess",
    asks: ({ networkAccess }) => networkAccess?.allowedCidrs.some((cidr) => !isNetwork(cidr)) === true,
    what: "a network that is open to addresses that are none",
    hint: "Write them as in 10.1.0.0/16",
  },
];

function isNetwork(text: string): boolean {
  const [address = "", bits = "", ...rest] = text.split("/");
  const most = isIPv4(address) ? 32 : isIPv6(address) ? 128 : -1;
  return rest.length === 0 && /^\d{0,3}$/.test(bits) && Number(bits) <= most;
}

const startsAsUsual = "Its containers start in the usual way.";

export const concessions: readonly Concession[] = [
  {
    field: "checkpointingEnabled",
    asks: given("checkpointingEnabled"),
    what: "memory snapshots",
    instead: "Its containers start in the usual way, and hooks with snap=True run at each start.",
  },
  {
    field: "isAutoSnapshot",
    asks: given("isAutoSnapshot"),
    what: "memory snapshots that are made by themselves",
    instead: startsAsUsual,
  },
  {
    field: "enableGpuSnapshot",
    asks: ({ enableGpuSnapshot, ExperimentalEnableGpuSnapshot }) => enableGpuSnapshot || ExperimentalEnableGpuSnapshot,
    what: "snapshots of GPU memory",
    instead: startsAsUsual,
  },
  {
    field: "schedulerPlacement",
    asks: ({ schedulerPlacement: place }) => place?.nonpreemptible === true || place?.Lifecycle === "on-demand",
    what: "containers that are not preempted",
    instead: "No container is preempted here.",
  },
  {
    field: "schedulerPlacement",
    asks: ({ schedulerPlacement: place }) => place?.Zone !== undefined || (place?.InstanceTypes.length ?? 0) > 0,
    what: "a zone or a type of machine",
    instead: "It runs on any worker of its region.",
  },
  {
    field: "autoscalerSettings",
    asks: ({ autoscalerSettings: settings, isServer }) =>
      [
        settings?.scaleupWindow,
        settings?.scaledownRateLimit,
        settings?.targetConcurrency,
        isServer ? 0 : settings?.targetConcurrencyFloat,
      ].some((asked) => (asked ?? 0) > 0),
    what: "a pace or a target of its own for scaling",
    instead: "Containers start as soon as inputs wait, and end when they have idled for their window.",
  },
  {
    field: "ExperimentalCustomScaling",
    asks: given("ExperimentalCustomScaling"),
    what: "experimental scaling",
    instead: "It scales in the usual way.",
  },
  {
    field: "maxInputs",
    asks: ({ maxInputs }) => maxInputs > 1,
    what: "containers that end after several inputs",
    instead: "They end when they have idled for their window.",
  },
  {
    field: "ExperimentalTaskTemplates",
    asks: ({ ExperimentalTaskTemplates: templates, ExperimentalTaskTemplatesEnabled: enabled }) =>
      enabled || templates.length > 0,
    what: "containers of several kinds",
    instead: "All of them are of the first kind.",
  },
  {
    field: "ptyInfo",
    asks: ({ ptyInfo }) => ptyInfo?.enabled === true,
    what: "a terminal",
    instead: "Its input is empty: nothing can be typed into it.",
  },
  {
    field: "proxyId",
    asks: ({ proxyId = "", ExperimentalProxyIp: ip = "" }) => proxyId !== "" || ip !== "",
    what: "a proxy",
    instead: "Its connections go out from the worker's own address.",
  },
  {
    field: "i6pnEnabled",
    asks: given("i6pnEnabled"),
    what: "a private network between containers",
    instead: "Its containers cannot reach each other.",
  },
  {
    field: "rateLimit",
    asks: ({ rateLimit }) => (rateLimit?.limit ?? 0) > 0,
    what: "a rate limit",
    instead: "Inputs are started as soon as a container is free.",
  },
  {
    field: "routingRegion",
    asks: given("routingRegion"),
    what: "requests that enter in a region",
    instead: "They enter where the server is.",
  },
  {
    field: "resources",
    asks: ({ resources }) => resources?.rdma === true,
    what: "RDMA",
    instead: "Its containers have the usual network.",
  },
  {
    field: "runtime",
    asks: ({ runtime }) => runtime !== "" && runtime !== nodeRuntime,
    what: "a runtime of its own",
    instead: "It runs in the runtime that the worker was started with.",
  },
  {
    field: "runtimeDebug",
    asks: ({ runtimeDebug, runtimePerfRecord, snapshotDebug }) => runtimeDebug || runtimePerfRecord || snapshotDebug,
    what: "a record of what its runtime does",
    instead: "None is made.",
  },
  {
    field: "flashServiceLabel",
    asks: ({ flashServiceLabel, flashServiceUrls }) => flashServiceLabel !== "" || flashServiceUrls.length > 0,
    what: "addresses of its own",
    instead: "It has none.",
  },
  { field: "workerId", asks: given("workerId"), what: "a certain worker", instead: "The platform chooses the worker." },
  {
    field: "experimentalOptions",
    asks: ({ experimentalOptions }) => Object.keys(experimentalOptions).length > 0,
    what: "experimental options",
    instead: "They have no meaning here.",
  },
];

/** Throws at what is refused; answers a warning for each concession. */
export function reviewDefinition(definition: Function): string[] {
  const { functionName: name } = definition;
  const refusal = refusals.find(({ asks }) => asks(definition));
  if (refusal !== undefined) {
    const options: FailOptions = refusal.hint === undefined ? {} : { hint: refusal.hint };
    const sentence = `Function "${name}" asks for ${refusal.what}, which this version of Lydian does not have.`;
    throw fail("unimplemented", sentence, options);
  }
  return concessions
    .filter(({ asks }) => asks(definition))
    .map(({ what, instead }) => `Function "${name}" asks for ${what}, which Lydian does not have. ${instead}`);
}
