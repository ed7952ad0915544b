/** Starts the real worker's process against a fake server, with a tiny client in place of the public one. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import * as wire from "@lydian/contract/worker";

import { workerMain } from "../../src/index.ts";
import { Interpreters } from "../../src/runners/interpreters.ts";
import { type FakeServer, workerSecret } from "./fake-server.ts";

export interface WorkerProcess {
  child: ChildProcess;
  ready: Promise<void>;
  /** Resolves with the milliseconds after the start of the process at which its doors were open. */
  doorsMs: Promise<number>;
  kill(signal: NodeJS.Signals): Promise<void>;
}

/** The runner looks for this client; its entry point runs the source in the arguments file. */
export const fakeClient = "0.0.1";

export async function installFakeClient(cache: string): Promise<string> {
  const { minor } = await new Interpreters().any();
  const folder = join(cache, "clients", "4", `modal-${fakeClient}-py${minor}`, "own", "modal");
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "__init__.py"), "");
  const entry = `import os; exec(open(os.environ["MODAL_CONTAINER_ARGUMENTS_PATH"]).read(), {"__name__": "__main__"})\n`;
  await writeFile(join(folder, "_container_entrypoint.py"), entry);
  return minor;
}

/** An assignment whose function is this source. */
export function assignment(
  containerId: string,
  minor: string,
  source: string,
  spec: MessageInitShape<typeof wire.ContainerSpecSchema> = {},
): { case: "assign"; value: MessageInitShape<typeof wire.AssignSchema> } {
  const python = { python: minor, clientVersion: fakeClient, arguments: Buffer.from(source) };
  const runner = create(wire.RunnerSchema, {
    kind: { case: "python", value: create(wire.PythonRunnerSchema, python) },
  });
  return {
    case: "assign",
    value: {
      containerId,
      fence: "f1",
      doorSecret: `secret-of-${containerId}`,
      spec: { imageId: "im-1", runner, ...spec },
    },
  };
}

export function startWorkerProcess(folder: string, server: FakeServer, args: readonly string[] = []): WorkerProcess {
  const child = spawn(process.execPath, ["--conditions=lydian-source", workerMain, ...args], {
    stdio: ["pipe", "pipe", "pipe"],
  });
  const { stdin, stdout, stderr } = child;
  const config = {
    data: join(folder, "w"),
    cache: join(folder, "cache"),
    server: server.address,
    workerSecret,
    runtime: { name: "process" },
    logLevel: "info",
  };
  stdin.write(`${JSON.stringify(config)}\n`);
  const ready = Promise.withResolvers<void>();
  createInterface({ input: stdout }).on("line", (line) => {
    const event = JSON.parse(line) as { event: string };
    if (event.event === "ready") ready.resolve();
    else ready.reject(new Error(line));
  });
  const doorsMs = Promise.withResolvers<number>();
  createInterface({ input: stderr }).on("line", (line) => {
    if (process.env["LYDIAN_TEST_LOG"] !== undefined) process.stderr.write(`${line}\n`);
    const entry = (line.startsWith("{") ? JSON.parse(line) : { msg: line }) as { msg: string; afterMs?: number };
    if (entry.msg === "doors are open") doorsMs.resolve(entry.afterMs ?? Number.NaN);
  });
  const exited = once(child, "exit");
  exited.then(
    ([code]) => ready.reject(new Error(`the worker ended with ${String(code)}`)),
    (error: unknown) => ready.reject(error as Error),
  );
  ready.promise.catch(() => {}); // for tests that do not wait for it
  return {
    child,
    ready: ready.promise,
    doorsMs: doorsMs.promise,
    async kill(signal) {
      child.kill(signal);
      await exited;
    },
  };
}

/** The image of these assignments, as a worker before has made it: the host's own Python. */
export async function plantImage(data: string, python: string): Promise<void> {
  const folder = join(data, "environments", "im-1");
  await mkdir(join(folder, "files"), { recursive: true });
  const config = { env: { PATH: process.env["PATH"] ?? "" }, workdir: "/", user: "root" };
  await writeFile(join(folder, "record.json"), JSON.stringify({ python, config, program: "" }));
}
