/** What a starter's process is: the program that containers of its kind run, with the starter in its place. */
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { create } from "@bufbuild/protobuf";
import * as wire from "@lydian/contract/worker";
import { PlatformError } from "@lydian/kit";

import type { ClientPackages } from "../runners/client-packages.ts";
import { prepareNode } from "../runners/node.ts";
import type { PackagedNode } from "../runners/packaged-node.ts";
import { preparePython } from "../runners/python.ts";
import type { Layout, ProcessSpec } from "../runtime/runtime.ts";
import type { StarterKind } from "./kind.ts";

/** The socket beside its door on which it is told what to run. */
export const goName = "go";

interface Parts {
  readonly id: string;
  readonly kind: StarterKind;
  readonly layout: Layout;
  readonly clients: ClientPackages;
  readonly node: PackagedNode;
  readonly signal: AbortSignal;
}

export async function starterProgram({ id, kind, layout, clients, node, signal }: Parts): Promise<ProcessSpec> {
  if ((layout.entrypoint ?? []).length > 0) throw new PlatformError("an image with an entry point has no starters");
  const socket = join(dirname(new URL(layout.serverUrl).pathname), goName);
  const common = { containerId: id, imageId: "", env: {}, layout };
  if (kind.runner === "node") {
    const usual = await prepareNode({ ...common, runner: create(wire.NodeRunnerSchema, {}), node });
    const starter = await layout.addFile("starter.mjs", await script("starter.mjs"));
    const [program, runner = ""] = usual.argv;
    return { ...usual, argv: [program, starter, runner, socket] };
  }
  const { python, clientVersion } = kind;
  const runner = create(wire.PythonRunnerSchema, { python, clientVersion });
  const usual = await preparePython({ ...common, runner, clients, say: () => {}, signal });
  const starter = await layout.addFile("starter.py", await script("starter.py"));
  const [program, , module = ""] = usual.argv;
  return { ...usual, argv: [program, starter, module, socket] };
}

const script = (name: string): Promise<Buffer> =>
  readFile(fileURLToPath(new URL(`../../starter/${name}`, import.meta.url)));
