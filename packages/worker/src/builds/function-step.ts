/**
 * run_function: a client's function is called in a container on the image so far, whose upper becomes the next layer.
 *
 * In it runs the client's own entry point, as in a function's container. It gets its one input from a program beside it
 * (build-function/build_function.py), which ends as the call does: for the worker this is a command like any other.
 */
import { readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { create } from "@bufbuild/protobuf";
import * as wire from "@lydian/contract/worker";
import { PlatformError } from "@lydian/kit";

import { describeEnd } from "../container/exit.ts";
import { networkOf, resourcesOf } from "../container/prepare.ts";
import type { ImageConfig } from "../images/index.ts";
import { clientFolders, preparePython } from "../runners/python.ts";
import type { Layout, ProcessSpec } from "../runtime/runtime.ts";
import { runProgram, StepError, upperOf } from "./run-step.ts";
import { leaveOut, showFiles } from "./shown-files.ts";
import type { Stack, StepCustomer, StepHost } from "./step-host.ts";

export interface CallRequest {
  readonly stack: Stack;
  readonly config: ImageConfig;
  /** Of the stack: its Python, such as "3.12.4", and its image. */
  readonly python: string;
  readonly imageId: string;
  readonly called: wire.BuildFunction;
  readonly secrets: Readonly<Record<string, string>>;
  readonly volumes: readonly wire.VolumeMount[];
}

/** It took longer than it may. */
export class StepTimeout extends StepError {}

const script = fileURLToPath(new URL("../../build-function/build_function.py", import.meta.url));

/** What the script ends with when the function took too long. */
const timedOutCode = 124;

/** As a layer's `fill`. */
export async function fillByCalling(
  request: CallRequest,
  [diff, scratch]: readonly [diff: string, scratch: string],
  host: StepHost,
  customer: StepCustomer,
): Promise<void> {
  const { stack, config, called, volumes } = request;
  const shown = await showFiles(called.mounts, stack, join(scratch, "mounts"), host, customer.signal);
  await using door = await customer.openDoor();
  const container = {
    ...{ stack, config, door, volumes, shown: [shown.layer], mountedFolders: clientFolders },
    resources: resourcesOf(called.resources, host.capacity),
    network: networkOf(called.network),
  };
  try {
    await runProgram(container, (_, layout) => programOf(request, layout, host, customer), scratch, host, customer);
  } catch (error) {
    throw error instanceof StepError ? failureOf(error) : error;
  }
  await leaveOut(shown, upperOf(scratch), stack);
  await rename(upperOf(scratch), diff);
}

/** The script, and behind it what it is to run. */
async function programOf(
  { python, imageId, called, secrets }: CallRequest,
  layout: Layout,
  { clients }: StepHost,
  { say, signal }: StepCustomer,
): Promise<ProcessSpec> {
  const minor = python.split(".").slice(0, 2).join(".");
  if (minor === "") {
    throw new PlatformError("the image has no Python, without which no function runs", {
      hint: 'give it one: modal.Image.from_registry(…, add_python="3.12")',
    });
  }
  const { clientVersion, arguments: argumentBytes, taskId: containerId } = called;
  const runner = create(wire.PythonRunnerSchema, { python: minor, clientVersion, arguments: argumentBytes });
  const env = { ...called.env, ...secrets };
  const entryPoint = await preparePython({ runner, containerId, imageId, env, layout, clients, say, signal });
  const own = await layout.addFile("build_function.py", await readFile(script));
  const input = await layout.addFile("input", called.input);
  const seconds = [called.startupMs, called.timeoutMs].map((ms) => String(Number(ms) / 1000));
  return { ...entryPoint, argv: [await layout.python(minor), own, input, ...seconds, ...entryPoint.argv] };
}

function failureOf({ end }: StepError): StepError {
  if (end.reason !== "exited") return new StepError(`the function ${describeEnd(end)}`, end);
  return end.code === timedOutCode
    ? new StepTimeout("the function took too long", end)
    : new StepError("the function failed", end);
}
