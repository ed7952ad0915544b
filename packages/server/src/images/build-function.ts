/**
 * A client's function as a step of an image: all that a worker needs to call it, as one piece of content, for an image is
 * made again when the function's app is long gone.
 */
import { createHash } from "node:crypto";

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type BuildFunction as Asked,
  type Function as Definition,
  FunctionInputSchema,
  worker,
} from "@lydian/contract";

import type { ContentStore } from "../content/content-store.ts";
import type { BuildFunction } from "../domain/image.ts";
import type { Tx } from "../domain/store.ts";
import type { MountedVolume } from "../domain/volume.ts";
import { fail } from "../errors.ts";
import { decodeDefinition } from "../functions/definition.ts";
import { volumesOf } from "../volumes/mounts.ts";
import { argumentsOf, mountsOf, networkOf, resourcesOf, threadVariables } from "../workers/spec.ts";
import type { EndpointSettings } from "../web/endpoints.ts";
import { refuseGpus } from "./recipe.ts";

export interface FoundFunction {
  readonly step: BuildFunction;
  /** What is to be kept as content. */
  readonly bytes: Uint8Array;
  /** Whose values are its environment. */
  readonly secretIds: readonly string[];
  readonly volumes: readonly MountedVolume[];
}

/** `functionId` is the function that was defined for this step alone, and `taskId` its container's. */
export async function findBuildFunction(
  tx: Tx,
  asked: Asked,
  functionId: string,
  taskId: string,
  settings: EndpointSettings,
): Promise<FoundFunction> {
  const record = await tx.functions.get(functionId);
  const app = record && (await tx.apps.get(record.appId));
  if (record === undefined || app === undefined || record.definition.length === 0) {
    throw fail("notFound", `Function ${functionId}, which the image is to be made with, does not exist.`);
  }
  const definition = decodeDefinition(record);
  const { name, policy, clientVersion } = record;
  refuseGpus(policy.needs.gpus);
  refuseBuckets(definition);
  const input = toBinary(FunctionInputSchema, asked.input ?? create(FunctionInputSchema));
  const { milliCpu, memoryMib } = policy.needs;
  const described = create(worker.BuildFunctionSchema, {
    ...{ name, taskId, clientVersion, input },
    identity: identityOf(asked, input),
    arguments: await argumentsOf(tx, { record, app, taskId }, settings),
    mounts: await mountsOf(tx, record),
    env: threadVariables(definition, milliCpu),
    resources: resourcesOf(policy, { milliCpu, memoryMib }),
    network: networkOf(policy),
    startupMs: BigInt(policy.startupMs),
    timeoutMs: BigInt(policy.timeoutMs),
  });
  const bytes = toBinary(worker.BuildFunctionSchema, described);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const step = { name, identity: described.identity, sha256, mostMs: policy.startupMs + policy.timeoutMs };
  return { step, bytes, secretIds: definition.secretIds, volumes: await volumesOf(tx, definition) };
}

function refuseBuckets({ functionName, cloudBucketMounts: [bucket] }: Definition): void {
  if (bucket === undefined) return;
  throw fail("unimplemented", `Function "${functionName}" is to make an image, and cannot have a cloud bucket.`, {
    hint: "Read the bucket in a function of the app, or give the step a volume",
  });
}

/** As it was kept. */
export async function readBuildFunction(
  content: ContentStore,
  { sha256 }: BuildFunction,
): Promise<worker.BuildFunction> {
  return fromBinary(worker.BuildFunctionSchema, await content.read(sha256));
}

/**
 * What the clients document as that which makes an image another one: the function's source, the globals that it refers to
 * and its arguments. Not the other code that it calls, or each edit of a program would make its images again.
 */
function identityOf({ definition, globals }: Asked, input: Uint8Array): string {
  const given = [Buffer.from(definition), globals, input].map((bytes) => Buffer.from(bytes).toString("base64"));
  return createHash("sha256").update(given.join(" ")).digest("hex");
}
