/**
 * Commands in containers: where the newer clients find the router for them, how the older ones ask for them here, and the
 * terminal that `modal run -i` gives to a function's own process.
 */
import { createHash } from "node:crypto";

import {
  type ContainerExecGetOutputRequest,
  ExecOutputOption,
  FileDescriptor,
  type ModalClient,
  type RuntimeOutputBatchSchema,
} from "@lydian/contract";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { randomText } from "@lydian/kit";

import { terminalOf } from "../containers/terminal.ts";
import { fail } from "../errors.ts";
import { decodeDefinition } from "../functions/definition.ts";
import { type Rpcs, container, user } from "./adapter-access.ts";
import { livingContainer, secretVariables, target } from "./exec-requests.ts";
import { type Platform, replyKey } from "./platform.ts";

/** Older clients ask for addresses that they then reach by TLS alone. */
const needsTls = /^1\.[0-3]\./;

/** What a terminal of a container's main process goes by. */
const terminalName = "terminal";

/** How long a wait for output or an end is held at most. */
const holdMs = 55_000;

export function containerExecRpcs(platform: Platform): Rpcs<typeof ModalClient> {
  const { store, execs, taskTokens, config, clock, logBook } = platform;
  return {
    taskGetCommandRouterAccess: user(async ({ taskId }, { clientVersion = "" }) => {
      await target(platform, taskId);
      if (needsTls.test(clientVersion) && config.publicUrl.startsWith("http:")) {
        throw fail("failedPrecondition", `There is no command router for this client at ${config.publicUrl}.`);
      }
      return { jwt: taskTokens.make(taskId), url: config.publicUrl };
    }),
    containerExec: user(async (request, call) => {
      const { taskId, command, ptyInfo, stdoutOutput, stderrOutput, timeoutSecs, workdir = "", secretIds } = request;
      const key = replyKey(call);
      const name = key === undefined ? randomText(16) : createHash("sha256").update(key).digest("hex").slice(0, 16);
      const asked = terminalOf(ptyInfo);
      await execs.start(await target(platform, taskId), {
        execId: name,
        command,
        env: { ...(await secretVariables(platform, secretIds)), ...asked?.env },
        workdir,
        timeoutMs: BigInt(timeoutSecs) * 1000n,
        discardStdout: stdoutOutput === ExecOutputOption.DEVNULL,
        discardStderr: stderrOutput === ExecOutputOption.DEVNULL,
        stderrToStdout: stderrOutput === ExecOutputOption.STDOUT,
        terminal: asked?.terminal,
        stays: ptyInfo?.noTerminateOnIdleStdin === true,
      });
      return { execId: `${taskId}:${name}` };
    }),
    containerExecGetOutput: user((request, call) => outputOf(platform, request, call.signal)),
    containerExecPutInput: user(async ({ execId, input }) => {
      const { taskId, name } = namesIn(execId);
      const { message = new Uint8Array(), messageIndex: index = 0n, eof = false } = input ?? {};
      const to = await target(platform, taskId);
      if (name === terminalName) await execs.type(to, index, message);
      else await execs.write(to, { execId: name, at: { index } }, parts(message), () => eof);
      return {};
    }),
    containerExecWait: user(async ({ execId, timeout }, { signal }) => {
      const { taskId, name } = namesIn(execId);
      const waitMs = Math.min(timeout * 1000, holdMs);
      const code = await execs.wait(await target(platform, taskId), name, waitMs, signal);
      return code === undefined ? { completed: false } : { completed: true, exitCode: code };
    }),
    functionStartPtyShell: container(async (_request, { caller }) => {
      const { appId, functionId, hasTerminal } = await store.read(async (tx) => {
        const found = await livingContainer(tx, caller.id);
        const record = await tx.functions.get(found.functionId);
        return { ...found, hasTerminal: record && terminalOf(decodeDefinition(record).ptyInfo) !== undefined };
      });
      if (hasTerminal !== true) {
        throw fail("failedPrecondition", "This function has no terminal.", { hint: "Run it with `modal run -i`" });
      }
      const terminal = { id: `${caller.id}:${terminalName}` };
      const line = {
        time: clock.now(),
        containerId: caller.id,
        functionId,
        stream: "system",
        text: "",
        terminal,
      } as const;
      const piece = { containerId: "", fence: "", offset: 0, endOffset: 0, lines: [line], lineEnds: [0] };
      await logBook.append(appId, piece);
      return {};
    }),
  };
}

/** The container, and the command in it. */
function namesIn(execId: string): { taskId: string; name: string } {
  const [taskId = "", name = "", ...more] = execId.split(":");
  if (name === "" || more.length > 0) throw fail("notFound", `There is no command ${execId}.`);
  return { taskId, name };
}

async function* parts(data: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield data;
}

/** Batches go by the offset after them. */
async function* outputOf(
  platform: Platform,
  request: ContainerExecGetOutputRequest,
  signal: AbortSignal,
): AsyncIterable<MessageInitShape<typeof RuntimeOutputBatchSchema>> {
  const { execs, clock } = platform;
  const { fileDescriptor, lastBatchIndex, timeout } = request;
  const { taskId, name: execId } = namesIn(request.execId);
  const from = await target(platform, taskId);
  const stderr = fileDescriptor === FileDescriptor.STDERR;
  const late = new AbortController();
  const waitMs = Math.min(timeout * 1000, holdMs);
  using _patience = clock.timer(waitMs, () => late.abort());
  const until = AbortSignal.any([signal, late.signal]);
  let batchIndex = lastBatchIndex;
  if (batchIndex === 0n) yield { batchIndex, items: [{ fileDescriptor }] };
  try {
    for await (const data of execs.read(from, { execId, stderr, offset: batchIndex }, until)) {
      batchIndex += BigInt(data.length);
      yield { batchIndex, items: [{ fileDescriptor, messageBytes: data }] };
    }
    const exitCode = await execs.wait(from, execId, waitMs, until);
    if (exitCode !== undefined) yield { batchIndex, exitCode };
  } catch (error) {
    if (!late.signal.aborted || signal.aborted) throw error; // else the client asks again, from where it is
  }
}
