/** What a worker is told to run: a function's definition turned into a container's specification. */
import { createHmac, timingSafeEqual } from "node:crypto";

import { type MessageInitShape, create, toBinary } from "@bufbuild/protobuf";
import { ContainerArgumentsSchema, type Function, type worker } from "@lydian/contract";

import { terminalOf } from "../containers/terminal.ts";
import type { App } from "../domain/app.ts";
import type { Container } from "../domain/container.ts";
import { type FunctionPolicy, type FunctionRecord, nodeRuntime } from "../domain/function.ts";
import { type Image, pythonMinor } from "../domain/image.ts";
import type { Tx } from "../domain/store.ts";
import type { Capacity } from "../domain/worker.ts";
import { fail } from "../errors.ts";
import { decodeDefinition, usedSecrets } from "../functions/definition.ts";
import { appLayout } from "../functions/handle.ts";
import { emptyManifestSha256 } from "../mounts/manifest.ts";
import { openBuckets } from "../volumes/buckets.ts";
import { mountsNow, volumesOf } from "../volumes/mounts.ts";
import type { EndpointSettings } from "../web/endpoints.ts";
import type { Vault } from "../secrets/vault.ts";

export type ContainerSpec = MessageInitShape<typeof worker.ContainerSpecSchema>;

/** A container's specification, and the secrets in it. Always the same for the same container, but for secrets' values. */
export async function containerSpec(
  tx: Tx,
  container: Container,
  { vault, settings }: { vault: Vault; settings: EndpointSettings },
): Promise<{ spec: ContainerSpec; secretIds: readonly string[] }> {
  const record = await tx.functions.get(container.functionId);
  const app = await tx.apps.get(container.appId);
  const image = record && (await tx.images.get(record.imageId));
  if (record === undefined || app === undefined || image === undefined) {
    throw new Error(`the function, app or image of ${container.id} is missing`);
  }
  const definition = decodeDefinition(record);
  const terminal = terminalOf(definition.ptyInfo);
  const secrets = await vault.environmentOf(tx, definition.secretIds);
  const spec = {
    description: `${app.name} ${record.name}`,
    runner: {
      kind: runnerOf(record, definition, image, await argumentsOf(tx, { record, app, taskId: container.id }, settings)),
    },
    mounts: await mountsOf(tx, record),
    env: {
      ...terminal?.env,
      MODAL_ENVIRONMENT: await environmentOf(tx, app),
      ...threadVariables(definition, container.milliCpu),
      ...secrets,
    },
    resources: { ...resourcesOf(record.policy, container), ...(container.gpus && { gpus: container.gpus }) },
    network: networkOf(record.policy),
    imageId: image.id,
    volumes: await mountsNow(tx, await volumesOf(tx, definition)),
    buckets: await openBuckets(tx, definition, vault),
    ...(terminal && { terminal: terminal.terminal }),
  } satisfies ContainerSpec;
  return { spec, secretIds: usedSecrets(definition) };
}

/** Its name, in which names are looked up where no other one is said. */
async function environmentOf(tx: Tx, app: App): Promise<string> {
  return (await tx.identity.environments()).find(({ id }) => id === app.environmentId)?.name ?? "";
}

type RunnerKind = NonNullable<MessageInitShape<typeof worker.RunnerSchema>["kind"]>;

/** What answers the function's inputs, by what its definition says. */
function runnerOf(record: FunctionRecord, definition: Function, image: Image, given: Uint8Array): RunnerKind {
  if (definition.runtime === nodeRuntime) {
    if (image.built?.libc.startsWith("musl ") === true) {
      throw fail("failedPrecondition", `Image ${image.id} has another C library than Node needs, as Alpine has.`, {
        hint: "Begin with an image of Debian or Ubuntu",
      });
    }
    return { case: "node", value: { arguments: given } };
  }
  const python = pythonMinor(image);
  if (python !== "")
    return { case: "python", value: { python, clientVersion: record.clientVersion, arguments: given } };
  throw fail(
    "failedPrecondition",
    `Image ${image.id} has no Python, without which no function of the Python client runs.`,
    {
      hint: 'Give it one: `modal.Image.from_registry(…, add_python="3.12")`',
    },
  );
}

/** What the client's entry point reads first: a serialized ContainerArguments. */
export async function argumentsOf(
  tx: Tx,
  { record, app, taskId }: { record: FunctionRecord; app: App; taskId: string },
  settings: EndpointSettings,
): Promise<Uint8Array> {
  const containerArguments = create(ContainerArgumentsSchema, {
    taskId,
    functionId: record.id,
    appId: app.id,
    environmentName: await environmentOf(tx, app),
    functionDef: decodeDefinition(record),
    ...(record.binding && { serializedParams: record.binding.parameters }),
    appLayout: await appLayout(tx, app, settings),
  });
  return toBinary(ContainerArgumentsSchema, containerArguments);
}

export async function mountsOf(tx: Tx, record: FunctionRecord): Promise<{ manifestSha256: string }[]> {
  const mounts: { manifestSha256: string }[] = [];
  for (const mountId of decodeDefinition(record).mountIds) {
    const mount = await tx.mounts.get(mountId);
    if (mount === undefined) throw new Error(`mount ${mountId} of ${record.name} is missing`);
    if (mount.manifestSha256 !== emptyManifestSha256) mounts.push({ manifestSha256: mount.manifestSha256 });
  }
  return mounts;
}

/** Its limits, with what it is sure of. */
export function resourcesOf(
  policy: FunctionPolicy,
  { milliCpu, memoryMib }: Capacity,
): Omit<worker.Resources, "$typeName"> {
  return {
    milliCpu: BigInt(milliCpu),
    memoryMib: BigInt(memoryMib),
    diskMib: BigInt(policy.diskLimitMib),
    milliCpuLimit: BigInt(policy.milliCpuLimit),
    memoryLimitMib: BigInt(policy.memoryLimitMib),
  };
}

export function networkOf({ network }: FunctionPolicy): Omit<worker.Network, "$typeName"> {
  return { restricted: network.restricted, allowedCidrs: [...network.allowedCidrs] };
}

/** Libraries that compute in threads take as many as the host has cores, unless they are told how many are theirs. */
const threadCounts = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "ORT_INTRA_OP_NUM_THREADS"];

export function threadVariables({ resources }: Function, milliCpu: number): Record<string, string> {
  if (resources === undefined || resources.milliCpu === 0 || resources.skipNumThreadsEnvVars) return {};
  const count = String(Math.max(1, Math.ceil(milliCpu / 1000)));
  return Object.fromEntries(threadCounts.map((name) => [name, count]));
}

/**
 * Door secrets are derived from the server's key instead of being stored, so that an assignment can be repeated after
 * a restart and a copy of the database opens no door. Form: container id, fence, MAC, joined by dots.
 */
export function doorSecret(key: Uint8Array, container: { id: string; fence: string }): string {
  return `${container.id}.${container.fence}.${mac(key, container.id, container.fence).toString("base64url")}`;
}

/** The container and fence that a secret was made for; undefined when it was not made with this key. */
export function openDoorSecret(key: Uint8Array, secret: string): { id: string; fence: string } | undefined {
  const [id = "", fence = "", given = "", ...rest] = secret.split(".");
  const expected = mac(key, id, fence);
  const presented = Buffer.from(given, "base64url");
  if (rest.length > 0 || presented.length !== expected.length || !timingSafeEqual(presented, expected))
    return undefined;
  return { id, fence };
}

function mac(key: Uint8Array, id: string, fence: string): Buffer {
  return createHmac("sha256", key).update(`door\0${id}\0${fence}`).digest();
}
