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

import { type Result, encodeResult } from "../../src/calls/result.ts";
import { submitCall } from "../../src/calls/submit.ts";
import type { App } from "../../src/domain/app.ts";
import type { Container } from "../../src/domain/container.ts";
import type { Context } from "../../src/domain/context.ts";
import type { Demand, FunctionRecord, ScalingPolicy } from "../../src/domain/function.ts";
import type { Tx } from "../../src/domain/store.ts";
import { encodeDefinition } from "../../src/functions/handle.ts";

export const policy = (changes: Partial<ScalingPolicy> = {}): ScalingPolicy => ({
  minContainers: 0,
  maxContainers: 10,
  bufferContainers: 0,
  scaledownMs: 60_000,
  concurrency: 1,
  milliCpu: 100,
  memoryMib: 128,
  startupMs: 300_000,
  timeoutMs: 300_000,
  ...changes,
});

export const demand = (changes: Partial<Demand> = {}): Demand => ({
  functionId: "fu-1",
  appId: "ap-1",
  policy: policy(),
  queued: 0,
  claimed: 0,
  crashStreak: 0,
  notBefore: 0,
  ...changes,
});

export const container = (changes: Partial<Container> = {}): Container => ({
  id: "ta-1",
  functionId: "fu-1",
  appId: "ap-1",
  workerId: "local",
  state: "ready",
  fence: "fence",
  milliCpu: 100,
  memoryMib: 128,
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
  changes: { state?: App["state"]; policy?: Partial<ScalingPolicy> } = {},
): Promise<FunctionRecord> {
  const [known] = await tx.identity.environments();
  const environmentId = known?.id ?? context.newId("en");
  if (known === undefined) await tx.identity.putEnvironment({ id: environmentId, name: "main" });
  const image =
    (await tx.images.byKey("default")) ??
    ({ id: context.newId("im"), key: "default", python: "3.11", builderVersion: "2025.06" } as const);
  if ((await tx.images.byKey("default")) === undefined) await tx.images.put(image);
  const appId = context.newId("ap");
  await tx.apps.insert({
    id: appId,
    environmentId,
    name: "app",
    state: changes.state ?? "ephemeral",
    createdAt: context.now,
    stoppedAt: changes.state === "stopped" ? context.now : undefined,
    layout: { functionIds: {}, classIds: {} },
  });
  const record: FunctionRecord = {
    id: context.newId("fu"),
    appId,
    name: "hello",
    definitionId: context.newId("de"),
    definition: encodeDefinition(create(FunctionSchema$, { functionName: "hello" })),
    clientVersion: "1.6.4",
    imageId: image.id,
    policy: policy(changes.policy),
    createdAt: context.now,
  };
  await tx.functions.put(record);
  return record;
}

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
  const inputs = [{ index: 0, payload: payload(argument) }];
  const submission = { functionId: of.id, shape: "unary", invocation: "sync", inputs } as const;
  const { call, inputIds } = await submitCall(tx, submission, context);
  return { callId: call.id, inputId: inputIds[0] ?? "in-none" };
}

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
