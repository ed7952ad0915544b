/** The command router: commands in the one container that its caller's token opens. */
import {
  TaskCommandRouter,
  type TaskExecStartRequest,
  TaskExecStderrConfig,
  TaskExecStdioFileDescriptor,
  TaskExecStdoutConfig,
  type TaskExecStdinWriteStreamRequest,
} from "@lydian/contract";

import { terminalOf } from "../containers/terminal.ts";
import type { Container } from "../domain/container.ts";
import { fail } from "../errors.ts";
import type { StartRequest } from "../workers/execs.ts";
import { type Rpcs, task, type TaskCaller } from "./adapter-access.ts";
import type { Call } from "./adapter-call.ts";
import { secretVariables, target } from "./exec-requests.ts";
import type { Platform } from "./platform.ts";

/** How long a wait is held; the clients give up after 60 s and ask again. */
const waitMs = 50_000;

export function taskRouterRpcs(platform: Platform): Rpcs<typeof TaskCommandRouter> {
  const { execs } = platform;
  return {
    taskExecStart: task(async (request, call) => {
      await execs.start(await own(platform, request, call), await startRequest(platform, request));
      return {};
    }),
    taskExecStdioRead: task((request, call) => readStdio(platform, request, call)),
    taskExecStdinWrite: task(async (request, call) => {
      const { execId, offset, data, eof } = request;
      const to = await own(platform, request, call);
      await execs.write(to, { execId, at: { offset } }, only(data), () => eof, call.signal);
      return {};
    }),
    taskExecStdinWriteStream: task(async (requests, call) => {
      const incoming = requests[Symbol.asyncIterator]();
      const first = await incoming.next();
      const start = first.done === true ? undefined : first.value.payload;
      if (start?.case !== "start") throw fail("invalidArgument", "A stream of input begins with Start.");
      const { execId, offset } = start.value;
      const rest = new Rest(incoming);
      const to = await own(platform, start.value, call);
      await execs.write(to, { execId, at: { offset } }, rest.parts(), () => rest.hasEnded, call.signal);
      return {};
    }),
    taskExecStdinStatus: task(async (request, call) => {
      const to = await own(platform, request, call);
      const nothing = { execId: request.execId, at: undefined };
      const { bytes, closed } = await execs.write(to, nothing, only(), () => false, call.signal);
      return { numBytesWritten: bytes, closed };
    }),
    taskExecPoll: task(async (request, call) => {
      return exitStatus(await execs.wait(await own(platform, request, call), request.execId, 0, call.signal));
    }),
    taskExecWait: task(async (request, call) => {
      const to = await own(platform, request, call);
      const code = await execs.wait(to, request.execId, waitMs, call.signal);
      // The clients repeat a wait after this status, and take an empty answer for a failure.
      if (code === undefined) throw fail("deadlineExceeded", `Command ${request.execId} runs.`);
      return exitStatus(code);
    }),
  };
}

/** The container that the token opens, which must be the one that is asked about. */
async function own(platform: Platform, { taskId }: { taskId: string }, call: Call<TaskCaller>): Promise<Container> {
  if (taskId !== call.caller.id) {
    throw fail("permissionDenied", `This token opens container ${call.caller.id}, and no other one.`);
  }
  return await target(platform, taskId);
}

async function startRequest(platform: Platform, request: TaskExecStartRequest): Promise<StartRequest> {
  const { execId, commandArgs, stdoutConfig, stderrConfig, timeoutSecs = 0, workdir = "", ptyInfo } = request;
  if (request.containerId !== "") throw fail("unimplemented", "Sidecars of sandboxes are still to come.");
  const secretIds = [...request.secretIds];
  const variables: Record<string, string>[] = [];
  for (const { source } of request.secretSources) {
    if (source.case === "secretId") secretIds.push(source.value);
    if (source.case === "env") variables.push(source.value.contents);
  }
  const asked = terminalOf(ptyInfo);
  const env = Object.assign({}, await secretVariables(platform, secretIds), ...variables, request.env, asked?.env);
  return {
    execId,
    command: commandArgs,
    env: env as Record<string, string>,
    workdir,
    timeoutMs: BigInt(timeoutSecs) * 1000n,
    discardStdout: stdoutConfig === TaskExecStdoutConfig.DEVNULL,
    discardStderr: stderrConfig === TaskExecStderrConfig.DEVNULL,
    stderrToStdout: stderrConfig === TaskExecStderrConfig.STDOUT,
    terminal: asked?.terminal,
    stays: ptyInfo?.noTerminateOnIdleStdin === true,
  };
}

async function* readStdio(
  platform: Platform,
  request: { taskId: string; execId: string; offset: bigint; fileDescriptor: TaskExecStdioFileDescriptor },
  call: Call<TaskCaller>,
): AsyncIterable<{ data: Uint8Array }> {
  const { execId, offset, fileDescriptor } = request;
  const stderr = fileDescriptor === TaskExecStdioFileDescriptor.STDERR;
  const from = await own(platform, request, call);
  for await (const data of platform.execs.read(from, { execId, stderr, offset }, call.signal)) yield { data };
}

async function* only(...data: Uint8Array[]): AsyncGenerator<Uint8Array, void, undefined> {
  yield* data;
}

/** What follows the first message of a stream of input. */
class Rest {
  readonly #incoming: AsyncIterator<TaskExecStdinWriteStreamRequest>;
  /** It was said that nothing follows; a stream that only breaks off can be gone on with. */
  hasEnded = false;

  constructor(incoming: AsyncIterator<TaskExecStdinWriteStreamRequest>) {
    this.#incoming = incoming;
  }

  async *parts(): AsyncGenerator<Uint8Array, void, undefined> {
    for (let next = await this.#incoming.next(); next.done !== true; next = await this.#incoming.next()) {
      const { payload } = next.value;
      if (payload.case === "data") yield payload.value;
      if (payload.case === "end") this.hasEnded = true;
    }
  }
}

function exitStatus(code: number | undefined): { exitStatus?: { case: "code"; value: number } } {
  return code === undefined ? {} : { exitStatus: { case: "code", value: code } };
}
