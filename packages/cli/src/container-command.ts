/** A command in a container, joined to this process's own stdin, stdout and stderr, which may be a terminal. */
import { randomUUID } from "node:crypto";
import type { ReadStream, WriteStream } from "node:tty";

import { ModalClient, TaskCommandRouter, TaskExecStderrConfig, TaskExecStdioFileDescriptor } from "@lydian/contract";
import { TaskExecStdoutConfig } from "@lydian/contract";
import { type Client, ConnectionError } from "lydian";

/** A token opens a container for 15 minutes; another one is fetched sooner. */
const tokenMs = 10 * 60_000;
/** The platform holds a wait for a little less. */
const waitMs = 60_000;
const streamMs = 24 * 60 * 60_000;

const router = TaskCommandRouter.method;

export interface Streams {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly env: NodeJS.ProcessEnv;
}

/** Answers its exit status. It has a terminal where this process has one. */
export async function runInContainer(
  client: Client,
  taskId: string,
  command: readonly string[],
  streams: Streams,
): Promise<number> {
  const exec = new Exec(client, taskId);
  const { stdin, stdout, stderr, env } = streams;
  const hasTerminal = stdin.isTTY && stdout.isTTY;
  await client.ask(
    router.taskExecStart,
    {
      ...exec.ids,
      commandArgs: [...command],
      stdoutConfig: TaskExecStdoutConfig.PIPE,
      stderrConfig: hasTerminal ? TaskExecStderrConfig.STDOUT : TaskExecStderrConfig.PIPE,
      ...(hasTerminal && {
        ptyInfo: {
          enabled: true,
          winszRows: stdout.rows,
          winszCols: stdout.columns,
          envTerm: env["TERM"] ?? "xterm",
          envColorterm: env["COLORTERM"] ?? "",
          noTerminateOnIdleStdin: true,
        },
      }),
    },
    { headers: await exec.headers() },
  );
  using _raw = hasTerminal ? rawMode(stdin) : undefined;
  const over = new AbortController();
  const typing = exec.type(stdin, over.signal);
  typing.catch(() => {}); // the command has ended meanwhile, or its output says what is wrong
  const outputs = [exec.copy(TaskExecStdioFileDescriptor.STDOUT, stdout)];
  if (!hasTerminal) outputs.push(exec.copy(TaskExecStdioFileDescriptor.STDERR, stderr));
  try {
    await Promise.all(outputs);
    return await exec.ended();
  } finally {
    over.abort();
    stdin.destroy(); // or this process would wait for the next key
  }
}

/** Each key goes to the command, Ctrl-C as well. */
function rawMode(stdin: ReadStream): Disposable {
  stdin.setRawMode(true);
  return { [Symbol.dispose]: () => void stdin.setRawMode(false) };
}

class Exec {
  readonly ids: { readonly taskId: string; readonly execId: string };
  readonly #client: Client;
  #token: { text: string; until: number } | undefined;

  constructor(client: Client, taskId: string) {
    this.#client = client;
    this.ids = { taskId, execId: randomUUID() };
  }

  async headers(): Promise<Record<string, string>> {
    if (this.#token === undefined || this.#token.until < Date.now()) {
      const { jwt } = await this.#client.ask(ModalClient.method.taskGetCommandRouterAccess, {
        taskId: this.ids.taskId,
      });
      this.#token = { text: jwt, until: Date.now() + tokenMs };
    }
    return { authorization: `Bearer ${this.#token.text}` };
  }

  /** All of it, also over restarts of the platform. */
  async copy(fileDescriptor: TaskExecStdioFileDescriptor, to: Pick<WriteStream, "write">): Promise<void> {
    let offset = 0n;
    for (let failures = 0; ;) {
      try {
        const options = { headers: await this.headers(), timeoutMs: streamMs };
        const request = { ...this.ids, offset, fileDescriptor };
        for await (const { data } of this.#client.follow(router.taskExecStdioRead, request, options)) {
          to.write(data);
          offset += BigInt(data.byteLength);
          failures = 0;
        }
        return;
      } catch (error) {
        if (!(error instanceof ConnectionError) || ++failures > 10) throw error;
        await new Promise((resolve) => setTimeout(resolve, 200 * failures));
      }
    }
  }

  /** What is typed, or comes from a pipe, in its order; the end of it as well. */
  async type(from: NodeJS.ReadableStream, signal: AbortSignal): Promise<void> {
    let offset = 0n;
    const send = async (data: Uint8Array, eof: boolean): Promise<void> => {
      const headers = await this.headers();
      await this.#client.ask(router.taskExecStdinWrite, { ...this.ids, offset, data, eof }, { headers, signal });
      offset += BigInt(data.byteLength);
    };
    for await (const piece of from) {
      if (signal.aborted) return;
      await send(typeof piece === "string" ? Buffer.from(piece) : piece, false);
    }
    await send(new Uint8Array(), true);
  }

  async ended(): Promise<number> {
    for (;;) {
      const options = { headers: await this.headers(), timeoutMs: waitMs, patienceMs: waitMs };
      const { exitStatus } = await this.#client.ask(router.taskExecWait, this.ids, options);
      if (exitStatus.case === "code") return exitStatus.value;
      if (exitStatus.case === "signal") return 128 + exitStatus.value;
    }
  }
}
