/**
 * Runs what a program in TypeScript has brought along: its own runner, in the version that the program was deployed with, lies
 * among the function's files. The worker gives it the Node that itself runs on, so no image needs one; one that has
 * another for it says so.
 */
import { join } from "node:path";

import type * as wire from "@lydian/contract/worker";

import type { Layout, ProcessSpec } from "../runtime/runtime.ts";
import type { PackagedNode } from "./packaged-node.ts";

/** Where its container has Node mounted. */
const nodeFolder = "__lydian/node";

/** By which an image names a Node of its own for its functions. */
const imagesNode = "LYDIAN_NODE";

/** The runner, below the folder that stands for /root. */
const runnerFile = ".lydian-sdk/runner.js";

export interface NodeRequest {
  runner: wire.NodeRunner;
  containerId: string;
  imageId: string;
  /** What the function's definition and its secrets set. */
  env: Readonly<Record<string, string>>;
  layout: Layout;
  node: Pick<PackagedNode, "folder">;
}

/** Lays out what the runner needs; answers how to start it. */
export async function prepareNode({
  runner,
  containerId,
  imageId,
  env,
  layout,
  node,
}: NodeRequest): Promise<ProcessSpec> {
  const folder = await layout.addFolder(nodeFolder, await node.folder());
  const argumentsFile = await layout.addFile("arguments", runner.arguments);
  const program = layout.environment[imagesNode] || join(folder, "node");
  const [first, ...rest] = [...(layout.entrypoint ?? []), program, join(layout.home, runnerFile)] as const;
  return {
    argv: [first, ...rest],
    cwd: layout.workdir ?? layout.home,
    env: {
      ...layout.environment,
      // The image's own Node comes first, for whatever the function starts.
      PATH: joined(layout.environment["PATH"], folder),
      HOME: layout.home,
      ...env,
      // For whatever starts this Node again as well. No image's own programs find anything else there.
      LD_LIBRARY_PATH: joined(env["LD_LIBRARY_PATH"] ?? layout.environment["LD_LIBRARY_PATH"], folder),
      MODAL_SERVER_URL: layout.serverUrl,
      MODAL_TASK_ID: containerId,
      MODAL_IMAGE_ID: imageId,
      MODAL_IS_REMOTE: "1",
      MODAL_CONTAINER_ARGUMENTS_PATH: argumentsFile,
    },
  };
}

function joined(...entries: (string | undefined)[]): string {
  return entries.filter((entry) => entry !== undefined && entry !== "").join(":");
}
