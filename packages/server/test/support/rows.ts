/** Values and rows that tests begin with: whole, ordinary, and changed where a test cares. */
import { toBinary, create } from "@bufbuild/protobuf";
import {
  DataFormat,
  FunctionInputSchema,
  FunctionSchema$,
  GenericResultSchema,
  GenericResult_GenericStatus,
} from "@lydian/contract";
import type { Id } from "@lydian/kit";

import type { ClaimRequest } from "../../src/calls/claim.ts";
import type { Completion } from "../../src/calls/complete.ts";
import { type Result, encodeResult, failureResult } from "../../src/calls/result.ts";
import { closeCall } from "../../src/calls/known.ts";
import { type Submission, submitCall } from "../../src/calls/submit.ts";
import type { DeployRequest } from "../../src/apps/publish.ts";
import { limitsSchema } from "../../src/config.ts";
import type { App } from "../../src/domain/app.ts";
import type { Container } from "../../src/domain/container.ts";
import type { Context } from "../../src/domain/context.ts";
import { type Demand, emptyPolicy, type FunctionPolicy, type FunctionRecord } from "../../src/domain/function.ts";
import type { Image, Recipe } from "../../src/domain/image.ts";
import type { Tx } from "../../src/domain/store.ts";
import type { Needs, WorkerView } from "../../src/domain/worker.ts";
import type { EndpointSettings } from "../../src/web/endpoints.ts";
import { encodeDefinition } from "../../src/functions/definition.ts";

export const limits = limitsSchema.parse({});

/** Where web functions are. */
export const settings: EndpointSettings = {
  publicUrl: "http://localhost",
  workspace: "home",
  web: { customDomains: [] },
};

export const policy = (changes: Partial<FunctionPolicy> = {}): FunctionPolicy => ({
  ...emptyPolicy,
  maxContainers: 10,
  scaledownMs: 60_000,
  needs: needs(),
  startupMs: 300_000,
  timeoutMs: 300_000,
  ...changes,
});

/** What one container takes. */
export const needs = (changes: Partial<Needs> = {}): Needs => ({
  milliCpu: 100,
  memoryMib: 128,
  gpus: [],
  regions: [],
  cloud: "",
  ...changes,
});

/** Of a worker that is only looked at: whatever is asked for, it has. */
class AllImages extends Set<string> {
  override has(): boolean {
    return true;
  }
}

export const worker = (changes: Partial<WorkerView> = {}): WorkerView => ({
  id: "local",
  capacity: { milliCpu: 1_000, memoryMib: 1_024 },
  gpus: [],
  labels: {},
  images: new AllImages(),
  mountsBuckets: false,
  ...changes,
});

/** One that makes images, and has these. */
export const builder = (has: readonly string[] = [], changes: Partial<WorkerView> = {}): WorkerView =>
  worker({ images: new Set(has), ...changes });

/** Of a base alone. */
export const recipe = (changes: Partial<Recipe> = {}): Recipe => ({
  lines: ["FROM python:3.11-slim-bookworm"],
  bases: {},
  contextManifestSha256: "",
  contextName: "",
  contextFiles: [],
  buildArgs: {},
  secretIds: [],
  secretsIdentity: "",
  registry: undefined,
  ...changes,
});

export const image = (changes: Partial<Image> = {}): Image => ({
  id: "im-1",
  key: "key",
  builderVersion: "2025.06",
  recipe: recipe(),
  force: false,
  state: "built",
  since: 0,
  losses: 0,
  workerId: "",
  fence: "",
  built: { python: "3.11.9", libc: "glibc 2.36", workdir: "/root" },
  failure: undefined,
  logFrom: "",
  ...changes,
});

/** Nothing beyond its capacity. */
export const noSlack = { milliCpu: 0, memoryMib: 0 };

export const demand = (changes: Partial<Demand> = {}): Demand => ({
  functionId: "fu-1",
  definitionId: "de-1",
  appId: "ap-1",
  environmentId: "en-1",
  imageId: "im-1",
  imageState: "built",
  policy: policy(),
  queued: 0,
  claimed: 0,
  delayed: 0,
  crashStreak: 0,
  notBefore: 0,
  ...changes,
});

export const container = (changes: Partial<Container> = {}): Container => ({
  id: "ta-1",
  functionId: "fu-1",
  definitionId: "de-1",
  appId: "ap-1",
  workerId: "local",
  state: "ready",
  fence: "fence",
  milliCpu: 100,
  memoryMib: 128,
  gpus: undefined,
  held: 0,
  finished: 0,
  createdAt: 0,
  readyAt: undefined,
  idleSince: 0,
  killAt: undefined,
  goneAt: undefined,
  goneReason: undefined,
  logOffset: 0,
  ...changes,
});

/** An app with one function, and the image that it needs. */
export async function plantFunction(
  tx: Tx,
  context: Context,
  changes: { state?: App["state"]; policy?: Partial<FunctionPolicy> } = {},
): Promise<FunctionRecord> {
  const [known] = await tx.identity.environments();
  const environmentId = known?.id ?? context.newId("en");
  if (known === undefined) {
    await tx.identity.putEnvironment({ id: environmentId, name: "main", webSuffix: "", createdAt: 0 });
    await tx.identity.putWorkspace({ id: "ac-1", name: "home", defaultEnvironmentId: environmentId });
  }
  const imageId = (await tx.images.byKey("default"))?.id ?? context.newId("im");
  await tx.images.put(image({ id: imageId, key: "default" }));
  const appId = context.newId("ap");
  await tx.apps.insert({
    id: appId,
    environmentId,
    name: "app",
    state: changes.state ?? "ephemeral",
    createdAt: context.now,
    createdBy: "home",
    deployedAt: undefined,
    deployedBy: "",
    version: 0,
    stoppedAt: changes.state === "stopped" ? context.now : undefined,
    stoppedBy: "",
    tags: {},
    layout: { functionIds: {}, classIds: {} },
  });
  const record: FunctionRecord = {
    id: context.newId("fu"),
    appId,
    name: "hello",
    definitionId: context.newId("de"),
    definition: encodeDefinition(create(FunctionSchema$, { functionName: "hello" })),
    clientVersion: "1.6.4",
    imageId,
    policy: policy({ maxConcurrency: 100, ...changes.policy }), // as many as a test claims at a time
    createdAt: context.now,
    binding: undefined,
  };
  await tx.functions.put(record);
  return record;
}

/** What a client deploys, without a tag or a commit. */
export const deployment = (changes: Partial<DeployRequest> & { appId: string }): DeployRequest => ({
  name: "",
  isStaged: false,
  layout: { functionIds: {}, classIds: {} },
  definitions: {},
  tags: {},
  tag: "",
  deployedBy: "home",
  clientVersion: "1.6.4",
  revision: new Uint8Array(),
  ...changes,
});

/** A container of this function, ready for inputs. */
export async function plantContainer(
  tx: Tx,
  of: FunctionRecord,
  context: Context,
  changes: Partial<Container> = {},
): Promise<Container> {
  const made = container({
    id: context.newId("ta"),
    functionId: of.id,
    definitionId: of.definitionId,
    appId: of.appId,
    createdAt: context.now,
    idleSince: context.now,
    ...changes,
  });
  await tx.containers.insert(made);
  return made;
}

/** A unary call of this function with the text as its argument. */
export async function plantCall(
  tx: Tx,
  of: { id: string },
  context: Context,
  argument = "argument",
): Promise<{ callId: Id<"fc">; inputId: Id<"in"> }> {
  const asked = submission(of, { inputs: [{ index: 0, payload: payload(argument), method: "" }] });
  const { call, inputIds } = await submitCall(tx, asked, limits, context);
  return { callId: call.id, inputId: inputIds[0] ?? "in-none" };
}

/** A map of this function with this many inputs, all that it gets; of these methods in turn. */
export async function plantMap(
  tx: Tx,
  of: { id: string },
  context: Context,
  count: number,
  methods: readonly string[] = [""],
): Promise<{ callId: Id<"fc">; inputIds: Id<"in">[] }> {
  const inputs = Array.from({ length: count }, (_, index) => ({
    index,
    payload: payload(`${index}`),
    method: methods[index % methods.length] ?? "",
  }));
  const { call, inputIds } = await submitCall(tx, submission(of, { shape: "map", inputs }), limits, context);
  await closeCall(tx, call.id, context.now);
  return { callId: call.id, inputIds };
}

export const submission = (of: { id: string }, changes: Partial<Submission> = {}): Submission => ({
  functionId: of.id,
  shape: "unary",
  invocation: "sync",
  parentInputId: "",
  inputs: [],
  ...changes,
});

/** One input, of a container that has received nothing. */
export const claimRequest = (containerId: string, changes: Partial<ClaimRequest> = {}): ClaimRequest => ({
  containerId,
  atMost: 1,
  lingerMs: 0,
  received: new Set(),
  ...changes,
});

/** The success of an input's first attempt. */
export const completion = (inputId: string, changes: Partial<Completion> = {}): Completion => ({
  inputId,
  attempt: 1,
  outcome: "success",
  result: success("x"),
  startedAt: undefined,
  ...changes,
});

export function payload(argument: string): Uint8Array {
  const value = new TextEncoder().encode(argument);
  return toBinary(
    FunctionInputSchema,
    create(FunctionInputSchema, { argsOneof: { case: "args", value }, dataFormat: DataFormat.PICKLE }),
  );
}

export function success(value: string): Result {
  const result = create(GenericResultSchema, {
    status: GenericResult_GenericStatus.SUCCESS,
    dataOneof: { case: "data", value: new TextEncoder().encode(value) },
  });
  return encodeResult(result, DataFormat.PICKLE);
}

/** What a container reports of code that raised. */
export const failed = (inputId: string, changes: Partial<Completion> = {}): Completion =>
  completion(inputId, {
    outcome: "failure",
    result: failureResult({ status: "failure", message: "it raised" }),
    ...changes,
  });
