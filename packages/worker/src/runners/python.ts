/**
 * Runs the public Python client's own entry point, unmodified.
 *
 * What it needs of its surroundings, in 1.3.5 to 1.6.4: functions are imported by module name, so the folder that stands
 * for /root must be on sys.path and may lie anywhere; it is the working directory as well, which `python -m` puts first.
 * Remote paths (/root/…) are computed by the user's client only. A client that shows a remote traceback drops the
 * leading frames whose file has `/pkg/modal/` in its name, so the packages are shown under the name `pkg`.
 */
import type * as wire from "@lydian/contract/worker";

import type { Layout, ProcessSpec } from "../runtime/runtime.ts";
import { type ClientPackages, dependenciesBeside } from "./client-packages.ts";
import { dirname } from "node:path";

const clientFolder = "pkg";

export interface PythonRequest {
  runner: wire.PythonRunner;
  containerId: string;
  imageId: string;
  /** What the function's definition and its secrets set. */
  env: Readonly<Record<string, string>>;
  layout: Layout;
  clients: Pick<ClientPackages, "find">;
  /** For the container's log. */
  say: (line: string) => void;
  signal: AbortSignal;
}

/** Where its container has the client mounted. */
export const clientFolders: readonly string[] = [`/${clientFolder}`, `/${dependenciesBeside}`];

/** Lays out what the entry point needs; answers how to start it. */
export async function preparePython(request: PythonRequest): Promise<ProcessSpec> {
  const { runner, layout } = request;
  const program = await layout.python(runner.python);
  const client = await request.clients.find(runner.clientVersion, runner.python, request);
  const shown = await layout.addFolder(clientFolder, client.own);
  await layout.addFolder(dependenciesBeside, client.dependencies);
  const argumentsFile = await layout.addFile("arguments", runner.arguments);
  const [first, ...rest] = [...(layout.entrypoint ?? []), program, "-m", "modal._container_entrypoint"] as const;
  return {
    argv: [first, ...rest],
    cwd: layout.workdir ?? layout.home,
    env: environment(request, program, shown, argumentsFile),
  };
}

/**
 * The whole environment. The user's variables win, but for those that say who the container is and where its server is:
 * a secret for another platform that is called MODAL_SERVER_URL must not cut the container off.
 */
function environment(
  request: PythonRequest,
  program: string,
  packages: string,
  argumentsFile: string,
): Record<string, string> {
  const { layout, env } = request;
  const pythonPath = [packages, layout.home, env["PYTHONPATH"] ?? layout.environment["PYTHONPATH"] ?? ""]
    .filter((entry) => entry !== "")
    .join(":");
  return {
    ...layout.environment,
    // `python` and the interpreter's own scripts come first.
    PATH: [dirname(program), layout.environment["PATH"] ?? ""].filter((entry) => entry !== "").join(":"),
    HOME: layout.home,
    PYTHONUNBUFFERED: "1",
    ...env,
    PYTHONPATH: pythonPath,
    MODAL_SERVER_URL: layout.serverUrl,
    MODAL_TASK_ID: request.containerId,
    MODAL_IMAGE_ID: request.imageId,
    MODAL_IS_REMOTE: "1",
    MODAL_CONTAINER_ARGUMENTS_PATH: argumentsFile,
  };
}
